import { Fault } from '../../proto/fault.ts';
import type { VolumeId } from '../../proto/ids.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import { failpoint } from '../../runtime/system/failpoint.ts';
import type { Log } from '../../runtime/system/log.ts';
import { Undo } from '../../runtime/system/undo.ts';
import type { PodShims } from '../pod-shims.ts';
import type { Pool } from '../pool/port.ts';
import type { CallContext } from '../verb.ts';
import { Barrier } from './barrier.ts';
import { claimVolume } from './claim-volume.ts';
import { GuestFreeze, type Trust } from './guest-freeze.ts';

/** A snapshot to be taken, in a pool that takes them instantly. */
export interface WantedSnapshot {
  readonly pool: Pool;
  readonly snapshot: Omit<VolumeSnapshot, 'consistency' | 'remark'>;
  /** Who may have the volume though its lease is free, in words. */
  readonly foreignUse: string | undefined;
}

const DETACHED: Trust = { consistency: 'detached', remark: '' };

/** What keeps a volume as it is. */
interface Hold {
  /** The first call ends it. */
  end(): Promise<void>;
  /** Once ended: what a copy from meanwhile is worth. */
  trust(): Trust;
}
type Holds = ReadonlyMap<VolumeId, Hold>;

/**
 * The content of several volumes as it is at one instant: each volume is still, from before the first copy until after
 * the last, and not longer. Leases of volumes that no VM has are held, and each VM is frozen once for all of its volumes.
 * A failure may leave some of the snapshots made, which the caller takes back; all holds have ended in any case.
 */
export async function takeSnapshots(
  wanted: readonly WantedSnapshot[],
  shims: PodShims,
  { log, signal }: CallContext,
): Promise<VolumeSnapshot[]> {
  const still = new Undo(log);
  try {
    const holds = await holdStill(wanted, shims, still, log);
    failpoint('volumes.still');
    signal.throwIfAborted();
    return await copyAll(wanted, holds, log);
  } finally {
    await still.unwind();
  }
}

/** `still` ends what was begun, also half-way. */
async function holdStill(wanted: readonly WantedSnapshot[], shims: PodShims, still: Undo, log: Log): Promise<Holds> {
  const holds = new Map<VolumeId, Hold>();
  const ofSandbox = new Map<string, VolumeId[]>();
  for (const { pool, snapshot, foreignUse } of wanted) {
    const volumeId = snapshot.sourceVolumeId;
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

/** None settles before all have their content: only then do the holds end. */
async function copyAll(wanted: readonly WantedSnapshot[], holds: Holds, log: Log): Promise<VolumeSnapshot[]> {
  const copied = new Barrier(wanted.length);
  const settle = async (volumeId: VolumeId): Promise<Trust> => {
    await copied.arrive();
    failpoint('volumes.copied');
    await Promise.all([...holds.values()].map((hold) => hold.end()));
    failpoint('volumes.released');
    const hold = holds.get(volumeId);
    if (hold === undefined) throw new Fault('internal', `nothing held volume ${volumeId}`);
    return hold.trust();
  };
  const copies = wanted.map(async ({ pool, snapshot }) => {
    try {
      const options = { mayCopy: false, settle: () => settle(snapshot.sourceVolumeId) };
      return await pool.createSnapshot({ ...snapshot, ...DETACHED }, options, log);
    } catch (error) {
      copied.break(error);
      throw error;
    }
  });
  await Promise.allSettled(copies); // whatever is taken back is taken back before anybody is told
  const records = await Promise.all(copies);
  for (const { snapshotId, consistency, remark } of records) {
    if (consistency === 'crash') log.warn('the snapshot is as after a power cut', { snapshotId, remark });
    else log.info('snapshot taken', { snapshotId, consistency });
  }
  return records;
}

function once(body: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= body();
    return done;
  };
}
