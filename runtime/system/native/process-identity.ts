import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import { parseProcess } from '../process-identity.ts';
import { forgive } from './errors.ts';
import { sys } from './sys.ts';

/** Who has this pid now; undefined if nobody, or one that has ended and waits to be reaped. */
export function readProcessIdentity(pid: number): ProcessIdentity | undefined {
  // ESRCH: the process ended between open and read.
  const stat = forgive(['ENOENT', 'ESRCH'], undefined, () => sys.readFile(`/proc/${pid}/stat`));
  return stat === undefined ? undefined : parseProcess(pid, new TextDecoder().decode(stat));
}

export function isAlive(identity: ProcessIdentity): boolean {
  return readProcessIdentity(identity.pid)?.startTicks === identity.startTicks;
}
