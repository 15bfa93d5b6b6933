import { Fault } from '../../proto/fault.ts';
import type { VolumeId } from '../../proto/ids.ts';
import type { Log } from '../../runtime/system/log.ts';
import type { Undo } from '../../runtime/system/undo.ts';
import type { PodShims } from '../pod-shims.ts';
import type { Pool } from '../pool/port.ts';
import { claimVolume } from './claim-volume.ts';
import { GuestFreeze, type Trust } from './guest-freeze.ts';

/** A volume that is to be still for an instant copy. */
export interface StillVolume {
  readonly pool: Pool;
  readonly volumeId: VolumeId;
  /** Who may have the volume though its lease is free, in words. */
  readonly foreignUse: string | undefined;
}

/** What keeps a volume as it is. */
export interface Hold {
  /** The first call ends it. */
  end(): Promise<void>;
  /** Once ended: what a copy from meanwhile is worth. */
  trust(): Trust;
}
export type Holds = ReadonlyMap<VolumeId, Hold>;

export const DETACHED: Trust = { consistency: 'detached', remark: '' };

/**
 * Holds the leases of volumes that no VM has, so that none gets them, and freezes each VM once for all of its volumes.
 * `still` ends what was begun, also half-way.
 */
export async function holdStill(
  volumes: readonly StillVolume[],
  shims: PodShims,
  still: Undo,
  log: Log,
): Promise<Holds> {
  const holds = new Map<VolumeId, Hold>();
  const ofSandbox = new Map<string, VolumeId[]>();
  for (const { pool, volumeId, foreignUse } of volumes) {
    const claim = await claimVolume(pool, volumeId);
    if (claim.kind === 'vm') {
      ofSandbox.set(claim.sandboxId, [...(ofSandbox.get(claim.sandboxId) ?? []), volumeId]);
      continue;
    }
    const end = once(() => claim.release());
    still.defer(`lease of ${volumeId}`, end);
    const trust: Trust = foreignUse === undefined ? DETACHED : { consistency: 'crash', remark: foreignUse };
    holds.set(volumeId, { end, trust: () => trust });
  }
  const freezes = [...ofSandbox].map(([sandboxId, volumeIds]) => {
    const freeze = new GuestFreeze(shims, sandboxId, volumeIds, log);
    const end = () => freeze.thaw();
    still.defer(`freeze of sandbox ${sandboxId}`, end);
    for (const volumeId of volumeIds) holds.set(volumeId, { end, trust: () => freeze.trustOf(volumeId) });
    return freeze;
  });
  await Promise.all(freezes.map((freeze) => freeze.begin()));
  return holds;
}

/** Fault `internal` for a volume that is not among them. */
export function holdOf(holds: Holds, volumeId: VolumeId): Hold {
  const hold = holds.get(volumeId);
  if (hold === undefined) throw new Fault('internal', `nothing held volume ${volumeId}`);
  return hold;
}

function once(body: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= body();
    return done;
  };
}
