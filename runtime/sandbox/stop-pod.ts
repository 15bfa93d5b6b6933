import { failpoint } from '../system/failpoint.ts';
import type { Log } from '../system/log.ts';
import type { System } from '../system/port.ts';
import { within } from '../system/within.ts';
import type { Pod } from './create-pod.ts';
import type { PodContainer } from './pod-container.ts';

const SIGTERM = 15;

interface Stopping {
  readonly system: System;
  readonly log: Log;
  /** The main container first. */
  readonly containers: readonly PodContainer[];
  readonly timeoutMs: number;
}

/**
 * The orderly end, within `timeoutMs`: the main container is asked to end and gets half of the time, then the others, which
 * serve it, get half of what is left; then what still runs is killed, and the guest syncs, unmounts and powers off. Never
 * throws: what does not work is logged, and the VM is killed next. A step that fails or gets no answer leaves half of its
 * time to what follows: above all the guest must be told to sync.
 */
export async function stopPod({ vm, agent }: Pod, { system, log, containers, timeoutMs }: Stopping): Promise<void> {
  const deadlineMs = system.now() + timeoutMs;
  const remainingMs = () => Math.max(1, deadlineMs - system.now());
  const attempt = async (failure: string, step: () => Promise<void>): Promise<void> => {
    await step().catch((error: unknown) => log.warn(failure, { error }));
  };
  const askToEnd = (container: PodContainer): Promise<void> =>
    attempt(`container ${container.id} could not be asked to end`, async () => {
      if (!container.isRunning) return;
      const request = { containerId: container.id, signal: SIGTERM };
      await agent.call('signalContainer', request, { timeoutMs: remainingMs() / 2 });
      await within(remainingMs() / 2, ended(container));
    });
  const remove = (container: PodContainer): Promise<void> =>
    attempt(`container ${container.id} could not be removed`, async () => {
      const isRunning = container.isRunning;
      await agent.call('removeContainer', { containerId: container.id }, { timeoutMs: remainingMs() / 2 });
      failpoint('container.removed');
      // Its last output is still on the way.
      if (isRunning) await within(remainingMs() / 2, ended(container));
    });
  await Promise.all(containers.slice(0, 1).map(askToEnd));
  await Promise.all(containers.slice(1).map(askToEnd));
  await Promise.all(containers.map(remove));
  await attempt('no orderly end; the VM is killed', async () => {
    await agent.call('shutdown', {}, { timeoutMs: remainingMs() });
    failpoint('guest.shut-down');
    if ((await within(remainingMs(), vm.exited)) === undefined) log.warn('the guest did not power off in time');
  });
}

const ended = ({ exit }: PodContainer): Promise<unknown> => exit.settled.catch(() => {});
