import * as v from 'valibot';
import { parseSnapshotId, parseVolumeId } from './ids.ts';
import { count, defineRecord, filled, id } from './record.ts';
import { FILESYSTEMS } from './volume-spec.ts';

/**
 * How far the content of a snapshot can be trusted: `frozen`, the guest's file systems were frozen until the copy was
 * whole; `detached`, no VM had the volume; `crash`, as after a power cut (a freeze that did not last, or a raw disk).
 */
const CONSISTENCIES = ['frozen', 'detached', 'crash'] as const;

/**
 * `snapshot.json` in a snapshot's directory, `<pool>/snapshots/<snapshot id>/`, beside `image.raw` and `fs.json` (the
 * state of the volume's file system when it was taken). Written by csi; durable.
 */
export const volumeSnapshotRecord = defineRecord('volume snapshot', 1, {
  snapshotId: id(parseSnapshotId),
  /** The `name` of CreateSnapshot: its idempotency key. Of a member of a group: the group's, and the volume. */
  name: filled,
  sourceVolumeId: id(parseVolumeId),
  /** Size of the disk when it was taken: a volume made of it is at least as large. */
  sizeBytes: count,
  fsType: v.picklist(FILESYSTEMS),
  createdAtMs: count,
  consistency: v.picklist(CONSISTENCIES),
  /** Why it is not `frozen`, for a person; empty if there is nothing to say. */
  remark: v.string(),
  /** Id of the group snapshot that it is a part of. */
  groupId: v.optional(filled),
});
export type VolumeSnapshot = ReturnType<typeof volumeSnapshotRecord.decode>;

export const SNAPSHOT_FILES = { record: 'snapshot.json', filesystem: 'fs.json', image: 'image.raw' } as const;
