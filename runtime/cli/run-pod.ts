import { Fault } from '../../proto/fault.ts';
import { silentLog } from '../system/log.ts';
import { withUndo } from '../system/undo.ts';
import { type ContainerStdio, openContainerStdio, openSidecarStdio } from './container-stdio.ts';
import { Interruption } from './interruption.ts';
import { LastingShim } from './lasting-shim.ts';
import { findPrograms } from './programs.ts';
import type { RunContainer, RunOptions } from './run-options.ts';
import { ensureNoDeadPod, startShim, stopPod } from './shim-client.ts';

/** What an orderly end may take before the VM is killed: sync and unmount under emulation are slow. */
const STOP_TIMEOUT_MS = 30_000;
/** Whoever sends a second signal has waited already. */
const IMPATIENT_TIMEOUT_MS = 6_000;

interface Streamed extends RunContainer {
  readonly stdio: ContainerStdio;
}

/** `berth run ... 2>&1 | head`: each of the streams that share it learns that it is gone when it writes. */
const leaveToWriters = (): void => {};

/** Resolves with the main container's exit status, when nothing of the pod is left. */
export async function runPod(options: RunOptions): Promise<number> {
  const programs = findPrograms();
  const guestDirectory = options.guestDirectory ?? programs.guestDirectory;
  const interruption = new Interruption();
  process.stderr.on('error', leaveToWriters);
  try {
    return await withUndo(silentLog, async (undo) => {
      const stream = async (container: RunContainer, opening: Promise<ContainerStdio>): Promise<Streamed> => {
        const stdio = await opening;
        undo.defer(`stdio of ${container.id}`, () => stdio.remove());
        return { ...container, stdio };
      };
      const main = await stream(options.main, openContainerStdio());
      const sidecars: Streamed[] = [];
      for (const sidecar of options.sidecars) sidecars.push(await stream(sidecar, openSidecarStdio(sidecar.id)));
      const containers = [main, ...sidecars];
      const command = { program: programs.shim, bundle: main.bundle, ...options };
      const streams = new Map(containers.map(({ id, stdio }) => [id, stdio]));
      const shim = new LastingShim(await startShim(command), command, streams);
      const stop = async () => {
        shim.giveUp();
        await stopPod(shim.current, STOP_TIMEOUT_MS);
        await ensureNoDeadPod(command);
      };
      undo.defer('pod', stop);
      interruption.endsPod(() => {
        shim.giveUp();
        return stopPod(shim.current, IMPATIENT_TIMEOUT_MS);
      });
      const exitCode = await runContainers(shim, { ...options, guestDirectory, main, sidecars }, interruption);
      await stop();
      for (const { stdio } of containers) await stdio.drained();
      for (const { stdio } of containers) await stdio.remove();
      return exitCode;
    });
  } finally {
    process.stderr.off('error', leaveToWriters);
    interruption.dispose();
  }
}

async function runContainers(
  shim: LastingShim,
  options: RunOptions & { guestDirectory: string; main: Streamed; sidecars: readonly Streamed[] },
  interruption: Interruption,
): Promise<number> {
  const { main, sidecars } = options;
  try {
    const containers = [main, ...sidecars].map(({ id, bundle, volumes, stdio }) => {
      const { stdin, stdout, stderr } = stdio;
      return { id, bundle, volumes, stdin, stdout, stderr };
    });
    const { notices } = await shim.current.call('create', { ...options, containers });
    for (const notice of notices) process.stderr.write(`berth: ${notice}\n`);
    let isOver = false;
    for (const { id } of sidecars) {
      await shim.call('start', { containerId: id });
      tellOfEarlyEnd(shim, id, () => isOver || interruption.exitCode !== undefined);
    }
    await shim.call('start', { containerId: main.id });
    interruption.goesTo((signal) => shim.call('kill', { containerId: main.id, signal }));
    main.stdio.forwardStdin();
    const { exitCode } = await shim.call('wait', { containerId: main.id });
    isOver = true;
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

/** A sidecar that fails does not end the pod, but must not go unseen. What breaks meanwhile, the main container tells. */
function tellOfEarlyEnd(shim: LastingShim, id: string, isOver: () => boolean): void {
  shim.call('wait', { containerId: id }).then(
    ({ exitCode }) => {
      if (exitCode !== 0 && !isOver())
        process.stderr.write(`berth: sidecar ${id} ended with exit status ${exitCode}\n`);
    },
    () => {},
  );
}
