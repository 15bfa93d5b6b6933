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
}

const DETACHED: Trust = { consistency: 'detached', remark: '' };

/**
 * The content of several volumes as it is at one instant: each volume is still, from before the first copy until after
 * the last. Leases of volumes that no VM has are held, and each VM is frozen once for all of its volumes. A failure may
 * leave some of the snapshots made, which the caller takes back; guests are thawed and leases free in any case.
 */
export async function takeSnapshots(
  wanted: readonly WantedSnapshot[],
  shims: PodShims,
  { log, signal }: CallContext,
): Promise<VolumeSnapshot[]> {
  const still = new Undo(log);
  try {
    const freezes = await holdStill(wanted, shims, still, log);
    failpoint('volumes.still');
    signal.throwIfAborted();
    return await copyAll(wanted, freezes, log);
  } finally {
    await still.unwind();
  }
}

/** The freezes of volumes that VMs have; `still` ends whatever was begun. */
async function holdStill(
  wanted: readonly WantedSnapshot[],
  shims: PodShims,
  still: Undo,
  log: Log,
): Promise<ReadonlyMap<VolumeId, GuestFreeze>> {
  const ofSandbox = new Map<string, VolumeId[]>();
  for (const { pool, snapshot } of wanted) {
    const volumeId = snapshot.sourceVolumeId;
    const claim = await claimVolume(pool, volumeId);
    if (claim.kind === 'lease') still.defer(`lease of ${volumeId}`, () => claim.release());
    else ofSandbox.set(claim.sandboxId, [...(ofSandbox.get(claim.sandboxId) ?? []), volumeId]);
  }
  const freezes = new Map<VolumeId, GuestFreeze>();
  for (const [sandboxId, volumeIds] of ofSandbox) {
    const freeze = new GuestFreeze(shims, sandboxId, volumeIds, log);
    still.defer(`freeze of sandbox ${sandboxId}`, () => freeze.thaw());
    for (const volumeId of volumeIds) freezes.set(volumeId, freeze);
  }
  await Promise.all([...new Set(freezes.values())].map((freeze) => freeze.begin()));
  return freezes;
}

/** None settles before all have their content: only then are the guests thawed. */
async function copyAll(
  wanted: readonly WantedSnapshot[],
  freezes: ReadonlyMap<VolumeId, GuestFreeze>,
  log: Log,
): Promise<VolumeSnapshot[]> {
  const copied = new Barrier(wanted.length);
  const settle = async (volumeId: VolumeId): Promise<Trust> => {
    await copied.arrive();
    failpoint('volumes.copied');
    await Promise.all([...freezes.values()].map((freeze) => freeze.thaw()));
    failpoint('guests.thawed');
    return freezes.get(volumeId)?.trustOf(volumeId) ?? DETACHED;
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
