import { Fault } from '../../../proto/fault.ts';
import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import type { System } from '../port.ts';
import { forgive } from './errors.ts';
import { isAlive } from './process-identity.ts';
import { SIG, sys } from './sys.ts';

/** The kernel has a killed VMM's memory to free, and may be waiting for its disk. */
const GONE_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 10;

/** SIGKILL to a process that is no child of ours. Resolves when it is gone; Fault `busy` if that takes too long. */
export async function killProcess(system: Pick<System, 'now' | 'sleep'>, identity: ProcessIdentity): Promise<void> {
  if (!isAlive(identity)) return;
  // It may end by itself meanwhile.
  forgive(['ESRCH'], undefined, () => sys.kill(identity.pid, SIG.KILL));
  const deadlineMs = system.now() + GONE_WITHIN_MS;
  while (isAlive(identity)) {
    if (system.now() > deadlineMs) {
      throw new Fault('busy', `process ${identity.pid} was killed, but does not die; try again`, {
        fields: { pid: identity.pid },
      });
    }
    await system.sleep(LOOK_AGAIN_MS);
  }
}
