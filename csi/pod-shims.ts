import { Fault } from '../proto/fault.ts';
import { podPaths, type RunPaths } from '../proto/paths.ts';
import { SHIM_SERVICE, type ShimMethods, shimMethods } from '../proto/shim.ts';
import type { System } from '../runtime/system/port.ts';
import { type Client, createClient } from '../runtime/system/rpc/ttrpc-client.ts';

/** What csi may ask of the pod that has a volume (proto/shim.ts). Every call has a deadline: a pod must not hang the node. */
export type PodShim = Client<ShimMethods>;

/** The shims of the pods on this node. */
export class PodShims {
  private readonly system: System;
  private readonly run: RunPaths;

  constructor(system: System, run: RunPaths) {
    this.system = system;
    this.run = run;
  }

  /**
   * Runs `body` with the shim of a sandbox; undefined when none listens, as when it was killed or the pod has just ended.
   * The connection is closed afterwards.
   */
  async ask<T>(sandboxId: string, body: (shim: PodShim) => Promise<T>): Promise<T | undefined> {
    const { shimSocket } = podPaths(this.run, sandboxId);
    const stream = await this.system.connect(shimSocket).catch((error: unknown) => {
      if (isNobody(error)) return undefined;
      throw error;
    });
    if (stream === undefined) return undefined;
    const shim = createClient(stream, SHIM_SERVICE, shimMethods);
    try {
      return await body(shim);
    } finally {
      shim.close();
    }
  }
}

function isNobody(error: unknown): boolean {
  const cause = error instanceof Fault ? (error.cause as { code?: unknown } | undefined) : undefined;
  return ['ENOENT', 'ECONNREFUSED'].includes(String(cause?.code));
}
