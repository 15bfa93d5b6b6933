import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import { killProcess } from '../../system/native/kill-process.ts';
import { isAlive } from '../../system/native/process-identity.ts';
import type { System } from '../../system/port.ts';
import type { VmExit } from '../port.ts';
import { type QemuProcess, readLastWords } from './qemu-process.ts';

const LOOK_AGAIN_MS = 20;
const LOOK_AGAIN_AT_MOST_MS = 1_000;

/**
 * A QEMU that another process started: the kernel tells us nothing of its end. The monitor closes when it dies, and then
 * its pid and start time say when it is gone.
 */
export function adoptQemu(
  system: System,
  identity: ProcessIdentity,
  monitorClosed: Promise<void>,
  logPath: string,
): QemuProcess {
  const exited = monitorClosed.then(async (): Promise<VmExit> => {
    // A monitor that closed for another reason is no end: then it is looked for as long as it takes.
    for (let pauseMs = LOOK_AGAIN_MS; isAlive(identity); pauseMs = Math.min(pauseMs * 2, LOOK_AGAIN_AT_MOST_MS)) {
      await system.sleep(pauseMs);
    }
    return { code: undefined, signal: 0, lastWords: await readLastWords(system, logPath) };
  });
  return {
    pid: identity.pid,
    exited,
    async kill() {
      await killProcess(system, identity);
      await exited;
    },
  };
}
