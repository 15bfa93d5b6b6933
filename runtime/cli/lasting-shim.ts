import { existsSync } from 'node:fs';
import { Fault } from '../../proto/fault.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import type { ContainerStdio } from './container-stdio.ts';
import { isGone, openShim, type ShimClient, type ShimCommand } from './shim-client.ts';

/** Shims that die one after another while they take a pod over show a fault that another try does not mend. */
const ATTEMPTS = 5;

/** The shim of a pod for as long as its main container lives: a new one takes the place of one that is killed. */
export class LastingShim {
  private readonly command: ShimCommand;
  /** By container. */
  private readonly stdio: ReadonlyMap<string, ContainerStdio>;
  private shim: ShimClient;
  private resuming: Promise<void> | undefined;
  private isGivenUp = false;

  constructor(shim: ShimClient, command: ShimCommand, stdio: ReadonlyMap<string, ContainerStdio>) {
    this.shim = shim;
    this.command = command;
    this.stdio = stdio;
  }

  /** The one that is connected now, or was last. */
  get current(): ShimClient {
    return this.shim;
  }

  /** Somebody ends the pod: a shim that goes now is not replaced. */
  giveUp(): void {
    this.isGivenUp = true;
  }

  /** For calls that may be repeated. Fault `io` when the pod has gone with its shim. */
  async call<K extends 'start' | 'wait' | 'kill'>(
    name: K,
    request: Parameters<typeof this.shim.call<K>>[1],
  ): ReturnType<typeof this.shim.call<K>> {
    for (;;) {
      const { shim } = this;
      try {
        return await shim.call(name, request);
      } catch (error) {
        if (!(await isGone(shim))) throw error;
        this.resuming ??= this.resume(error).finally(() => {
          this.resuming = undefined;
        });
        await this.resuming;
      }
    }
  }

  private async resume(cause: unknown): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      if (attempt > ATTEMPTS || !this.isReplaceable()) {
        throw new Fault('io', `the shim of pod ${this.command.id} ended before its container`, { cause });
      }
      this.shim = await openShim(this.command);
      try {
        const { containers } = await this.shim.call('resume', { containers: await this.handedOn() });
        for (const { containerId, stdinBytes } of containers) this.stdio.get(containerId)?.resumeStdin(stdinBytes);
        return;
      } catch (error) {
        if (!(await isGone(this.shim))) throw error;
      }
    }
  }

  /** How much of each container's outputs has gone the whole way. */
  private handedOn() {
    const streams = [...this.stdio].map(async ([containerId, stdio]) => ({
      containerId,
      ...(await stdio.awaitNextShim()),
    }));
    return Promise.all(streams);
  }

  /** An orderly end leaves no directory. */
  private isReplaceable(): boolean {
    return !this.isGivenUp && existsSync(podPaths(runPaths(this.command.runDirectory), this.command.id).directory);
  }
}
