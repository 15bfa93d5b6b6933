import { failpoint } from '../system/failpoint.ts';
import type { Log } from '../system/log.ts';
import type { System } from '../system/port.ts';
import { within } from '../system/within.ts';
import type { Pod } from './create-pod.ts';
import type { ExitStatus } from './exit-status.ts';

const SIGTERM = 15;

interface Stopping {
  readonly system: System;
  readonly log: Log;
  readonly containerId: string;
  /** Undefined if the container was never started. */
  readonly exit: ExitStatus | undefined;
  readonly timeoutMs: number;
}

/**
 * The orderly end, within `timeoutMs`: the container is asked to end and gets half of the time, then it is killed; the
 * guest syncs, unmounts and powers off. Never throws: what does not work is logged, and the VM is killed next. A step
 * that fails or gets no answer leaves half of its time to what follows: above all the guest must be told to sync.
 */
export async function stopPod(
  { vm, agent }: Pod,
  { system, log, containerId, exit, timeoutMs }: Stopping,
): Promise<void> {
  const deadlineMs = system.now() + timeoutMs;
  const remainingMs = () => Math.max(1, deadlineMs - system.now());
  const exited = exit?.settled.catch(() => {});
  const attempt = async (failure: string, step: () => Promise<void>): Promise<void> => {
    await step().catch((error: unknown) => log.warn(failure, { error }));
  };
  if (exit !== undefined && !exit.isSettled) {
    await attempt('the container could not be asked to end', async () => {
      await agent.call('signalContainer', { containerId, signal: SIGTERM }, { timeoutMs: remainingMs() / 2 });
      await within(remainingMs() / 2, exited);
    });
  }
  await attempt('the container could not be removed', async () => {
    await agent.call('removeContainer', { containerId }, { timeoutMs: remainingMs() / 2 });
    failpoint('container.removed');
    // Its last output is still on the way.
    await within(remainingMs() / 2, exited);
  });
  await attempt('no orderly end; the VM is killed', async () => {
    await agent.call('shutdown', {}, { timeoutMs: remainingMs() });
    failpoint('guest.shut-down');
    if ((await within(remainingMs(), vm.exited)) === undefined) log.warn('the guest did not power off in time');
  });
}
