import type { Log } from '../system/log.ts';
import type { System } from '../system/port.ts';
import type { Pod } from './create-pod.ts';
import { within } from './deadline.ts';
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
 * guest syncs, unmounts and powers off. Never throws: what does not work is logged, and the VM is killed next.
 */
export async function stopPod(
  { vm, agent }: Pod,
  { system, log, containerId, exit, timeoutMs }: Stopping,
): Promise<void> {
  const deadlineMs = system.now() + timeoutMs;
  const remainingMs = () => Math.max(1, deadlineMs - system.now());
  const exited = exit?.settled.catch(() => {});
  try {
    if (exit !== undefined && !exit.isSettled) {
      await agent.call('signalContainer', { containerId, signal: SIGTERM }, { timeoutMs: remainingMs() });
      await within(timeoutMs / 2, exited);
    }
  } catch (error) {
    log.warn('the container could not be asked to end', { error });
  }
  try {
    await agent.call('removeContainer', { containerId }, { timeoutMs: remainingMs() });
    // Its last output is still on the way.
    await within(remainingMs() / 2, exited);
    await agent.call('shutdown', {}, { timeoutMs: remainingMs() });
    if ((await within(remainingMs(), vm.exited)) === undefined) log.warn('the guest did not power off in time');
  } catch (error) {
    log.warn('no orderly end; the VM is killed', { error });
  }
}
