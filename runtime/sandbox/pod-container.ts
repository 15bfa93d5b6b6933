import type { Fault } from '../../proto/fault.ts';
import type { ContainerStdio } from '../guest-client/container-stdio.ts';
import type { Agent } from '../guest-client/control.ts';
import { failpoint } from '../system/failpoint.ts';
import type { Log } from '../system/log.ts';
import { ExitStatus } from './exit-status.ts';

export interface PodContainerOptions {
  readonly id: string;
  readonly log: Log;
  /** Why the guest could not be asked. */
  readonly explain: (thrown: unknown) => Promise<Fault>;
}

/** The guest that has the container; no streams when nobody wants them any more. */
export interface ContainerGuest {
  readonly agent: Agent;
  readonly stdio: ReadonlyMap<string, ContainerStdio>;
}

/** What becomes of one container of a pod, for whoever starts it and waits for it. */
export class PodContainer {
  readonly id: string;
  readonly exit = new ExitStatus();
  private readonly options: PodContainerOptions;
  private isStarted = false;

  constructor(options: PodContainerOptions) {
    this.id = options.id;
    this.options = options;
  }

  /** It was started, and its end is not known. */
  get isRunning(): boolean {
    return this.isStarted && !this.exit.isSettled;
  }

  /** The guest answers a repeated call as the first. */
  async start(guest: ContainerGuest): Promise<void> {
    await guest.agent.call('startContainer', { containerId: this.id });
    failpoint('container.started');
    this.expectExit(guest);
  }

  /** It was started, or may have been. */
  expectExit(guest: ContainerGuest): void {
    if (!this.isStarted) void this.awaitExit(guest);
    this.isStarted = true;
  }

  /** Its exit status is known when all of its output is handed on. */
  private async awaitExit({ agent, stdio: streams }: ContainerGuest): Promise<void> {
    const stdio = streams.get(this.id);
    try {
      const { exitCode } = await agent.call('waitContainer', { containerId: this.id });
      stdio?.closeInput();
      await stdio?.outputDone;
      this.options.log.info('container ended', { containerId: this.id, exitCode });
      this.exit.resolve(exitCode);
    } catch (error) {
      this.exit.reject(await this.options.explain(error));
    }
  }
}
