import type { ProcessIdentity } from '../../proto/sandbox-record.ts';
import type { System } from './port.ts';

/** Fields of /proc/PID/stat behind the program's name, which may itself contain spaces and parentheses (proc(5)). */
const STATE_FIELD = 0;
const THREADS_FIELD = 17;
const START_TICKS_FIELD = 19;

/** Who has this pid now; undefined if nobody. One that ends while it is looked at is answered by the kernel with ESRCH. */
export async function readProcessIdentity(system: System, pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await system.readFile(`/proc/${pid}/stat`).catch(() => undefined);
  return stat === undefined ? undefined : parseProcess(pid, new TextDecoder().decode(stat));
}

/** A pid alone may have been reused; with the start time it names one process until the next boot. */
export async function isRunning(system: System, process: ProcessIdentity): Promise<boolean> {
  const found = await readProcessIdentity(system, process.pid);
  return found?.startTicks === process.startTicks;
}

/** What /proc/PID/stat says; undefined of a process that has ended and waits to be reaped. */
export function parseProcess(pid: number, stat: string): ProcessIdentity | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[STATE_FIELD] ?? '';
  // Its first thread may have ended before the others, which then hold its files and locks.
  const hasEnded = 'ZX'.includes(state) && Number(fields[THREADS_FIELD]) <= 1;
  return hasEnded ? undefined : { pid, startTicks: Number(fields[START_TICKS_FIELD]) };
}
