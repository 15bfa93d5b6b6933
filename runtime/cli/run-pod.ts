import { Fault } from '../../proto/fault.ts';
import { silentLog } from '../system/log.ts';
import { withUndo } from '../system/undo.ts';
import { type ContainerStdio, openContainerStdio } from './container-stdio.ts';
import { Interruption } from './interruption.ts';
import { LastingShim } from './lasting-shim.ts';
import { findPrograms } from './programs.ts';
import type { RunOptions } from './run-options.ts';
import { ensureNoDeadPod, startShim, stopPod } from './shim-client.ts';

/** What an orderly end may take before the VM is killed: sync and unmount under emulation are slow. */
const STOP_TIMEOUT_MS = 30_000;
/** Whoever sends a second signal has waited already. */
const IMPATIENT_TIMEOUT_MS = 6_000;

/** Resolves with the container's exit status, when nothing of the pod is left. */
export async function runPod(options: RunOptions): Promise<number> {
  const programs = findPrograms();
  const guestDirectory = options.guestDirectory ?? programs.guestDirectory;
  const interruption = new Interruption();
  try {
    return await withUndo(silentLog, async (undo) => {
      const stdio = await openContainerStdio();
      undo.defer('stdio', () => stdio.remove());
      const command = { program: programs.shim, ...options };
      const shim = new LastingShim(await startShim(command), command, stdio);
      const stop = async () => {
        await stopPod(shim.current, STOP_TIMEOUT_MS);
        await ensureNoDeadPod(command);
      };
      undo.defer('pod', stop);
      interruption.endsPod(() => {
        shim.giveUp();
        return stopPod(shim.current, IMPATIENT_TIMEOUT_MS);
      });
      const exitCode = await runContainer(shim, { ...options, guestDirectory }, stdio, interruption);
      await stop();
      await stdio.drained();
      await stdio.remove();
      return exitCode;
    });
  } finally {
    interruption.dispose();
  }
}

async function runContainer(
  shim: LastingShim,
  options: RunOptions & { readonly guestDirectory: string },
  stdio: ContainerStdio,
  interruption: Interruption,
): Promise<number> {
  try {
    const { stdin, stdout, stderr } = stdio;
    const { notices } = await shim.current.call('create', { ...options, stdin, stdout, stderr });
    for (const notice of notices) process.stderr.write(`berth: ${notice}\n`);
    await shim.call('start', {});
    interruption.goesTo((signal) => shim.call('kill', { signal }));
    stdio.forwardStdin();
    const { exitCode } = await shim.call('wait', {});
    return interruption.exitCode ?? exitCode;
  } catch (error) {
    // The pod was ended on the way: whatever broke then is what was asked for.
    if (interruption.exitCode !== undefined) return interruption.exitCode;
    if (error instanceof Fault && error.code === 'io') {
      throw new Fault('io', `the shim of pod ${options.id} ended before its container`, { cause: error });
    }
    throw error;
  }
}
