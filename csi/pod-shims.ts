import { Fault } from '../proto/fault.ts';
import { podPaths, type RunPaths } from '../proto/paths.ts';
import { SHIM_SERVICE, type ShimMethods, shimMethods } from '../proto/shim.ts';
import type { ReplyOf, RequestOf } from '../proto/ttrpc.ts';
import type { System } from '../runtime/system/port.ts';
import { createClient } from '../runtime/system/rpc/ttrpc-client.ts';

/**
 * How long csi waits for each call, unless its caller says less or more: no verb of a node may hang with a guest. kubelet
 * and the sidecars wait a minute or two, so that all calls of one verb fit well within one.
 */
const DEADLINES_MS = {
  measureVolume: 2_000,
  growVolume: 60_000,
  /** The guest writes out what is dirty first. */
  freezeVolumes: 20_000,
  thawVolumes: 10_000,
  throttleVolume: 5_000,
  trimVolume: 60_000,
} as const satisfies Partial<Record<keyof ShimMethods, number>>;
type VolumeCall = keyof typeof DEADLINES_MS;

/** What csi may ask of the pod that has a volume (proto/shim.ts). */
export interface PodShim {
  /** Throws the shim's Fault; `timeout` when it does not answer, `io` when it is gone before it has. */
  call<Name extends VolumeCall>(
    name: Name,
    request: Partial<RequestOf<ShimMethods[Name]>>,
    options?: { readonly timeoutMs?: number },
  ): Promise<ReplyOf<ShimMethods[Name]>>;
}

/** The shims of the pods on this node. */
export class PodShims {
  private readonly system: Pick<System, 'connect'>;
  private readonly run: RunPaths;

  constructor(system: Pick<System, 'connect'>, run: RunPaths) {
    this.system = system;
    this.run = run;
  }

  /**
   * Runs `body` with the shim of a sandbox, over a connection of its own; undefined when none listens, as when it was
   * killed or the pod has just ended. The connection is closed afterwards.
   */
  async ask<T>(sandboxId: string, body: (shim: PodShim) => Promise<T>): Promise<T | undefined> {
    const { shimSocket } = podPaths(this.run, sandboxId);
    const stream = await this.system.connect(shimSocket).catch((error: unknown) => {
      if (isNobody(error)) return undefined;
      throw error;
    });
    if (stream === undefined) return undefined;
    const client = createClient(stream, SHIM_SERVICE, shimMethods);
    try {
      return await body({
        call: (name, request, { timeoutMs = DEADLINES_MS[name] } = {}) => client.call(name, request, { timeoutMs }),
      });
    } finally {
      client.close();
    }
  }
}

function isNobody(error: unknown): boolean {
  const cause = error instanceof Fault ? (error.cause as { code?: unknown } | undefined) : undefined;
  return ['ENOENT', 'ECONNREFUSED'].includes(String(cause?.code));
}
