import type { VolumeId } from '../../proto/ids.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import { failpoint } from '../../runtime/system/failpoint.ts';
import type { Log } from '../../runtime/system/log.ts';
import { Undo } from '../../runtime/system/undo.ts';
import type { PodShims } from '../pod-shims.ts';
import type { Pool } from '../pool/port.ts';
import type { CallContext } from '../verb.ts';
import { Barrier } from './barrier.ts';
import type { Trust } from './guest-freeze.ts';
import { DETACHED, type Holds, holdOf, holdStill } from './hold-still.ts';

/** A snapshot to be taken, in a pool that takes them instantly. */
export interface WantedSnapshot {
  readonly pool: Pool;
  readonly snapshot: Omit<VolumeSnapshot, 'consistency' | 'remark'>;
  /** Who may have the volume though its lease is free, in words. */
  readonly foreignUse: string | undefined;
}

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
    const volumes = wanted.map(({ pool, snapshot, foreignUse }) => {
      return { pool, volumeId: snapshot.sourceVolumeId, foreignUse };
    });
    const holds = await holdStill(volumes, shims, still, log);
    failpoint('volumes.still');
    signal.throwIfAborted();
    return await copyAll(wanted, holds, log);
  } finally {
    await still.unwind();
  }
}

/** None settles before all have their content: only then do the holds end. */
async function copyAll(wanted: readonly WantedSnapshot[], holds: Holds, log: Log): Promise<VolumeSnapshot[]> {
  const copied = new Barrier(wanted.length);
  const settle = async (volumeId: VolumeId): Promise<Trust> => {
    await copied.arrive();
    failpoint('volumes.copied');
    await Promise.all([...holds.values()].map((hold) => hold.end()));
    failpoint('volumes.released');
    return holdOf(holds, volumeId).trust();
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
