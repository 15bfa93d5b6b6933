import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import { forgive } from './errors.ts';
import { sys } from './sys.ts';

/** Fields of /proc/PID/stat behind the program's name, which may itself contain spaces and parentheses (proc(5)). */
const STATE_FIELD = 0;
const THREADS_FIELD = 17;
const START_TICKS_FIELD = 19;

/** Who has this pid now; undefined if nobody, or one that has ended and waits to be reaped. */
export function readProcessIdentity(pid: number): ProcessIdentity | undefined {
  // ESRCH: the process ended between open and read.
  const stat = forgive(['ENOENT', 'ESRCH'], undefined, () => sys.readFile(`/proc/${pid}/stat`));
  if (stat === undefined) return undefined;
  const text = new TextDecoder().decode(stat);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[STATE_FIELD] ?? '';
  const startTicks = Number(fields[START_TICKS_FIELD]);
  // Its first thread may have ended before the others, which then hold its files and locks.
  const hasEnded = 'ZX'.includes(state) && Number(fields[THREADS_FIELD]) <= 1;
  return hasEnded ? undefined : { pid, startTicks };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return readProcessIdentity(identity.pid)?.startTicks === identity.startTicks;
}
