import * as v from 'valibot';
import { parseDiskSerial, parseSnapshotId, parseVolumeId } from './ids.ts';
import { count, defineRecord, filled, id } from './record.ts';
import { volumeClassSchema, volumeLimitsSchema } from './volume-class.ts';

export const FILESYSTEMS = ['ext4', 'xfs', 'btrfs'] as const;
export type Filesystem = (typeof FILESYSTEMS)[number];

/** CSI access modes that a node-local block volume can honour (CSI 1.12, VolumeCapability.AccessMode). */
export const ACCESS_MODES = [
  'SINGLE_NODE_WRITER',
  'SINGLE_NODE_READER_ONLY',
  'SINGLE_NODE_SINGLE_WRITER',
  'SINGLE_NODE_MULTI_WRITER',
  'MULTI_NODE_READER_ONLY',
] as const;
export type AccessMode = (typeof ACCESS_MODES)[number];

/**
 * `spec.json` in the volume's directory: what the volume is. Written by csi when the volume is created, grown or
 * modified; durable. Names of the files beside it are fixed: see VOLUME_FILES.
 */
export const volumeSpecRecord = defineRecord('volume spec', 2, {
  volumeId: id(parseVolumeId),
  /** The `name` of CreateVolume: its idempotency key. */
  name: filled,
  /** Of the disk, as promised; the image grows to it before anybody is told, and a guest's file system after that. */
  capacityBytes: count,
  /** What a first mount makes. A volume that is only ever attached as a raw block device carries it without effect. */
  fsType: v.picklist(FILESYSTEMS),
  accessModes: v.array(v.picklist(ACCESS_MODES)),
  /** virtio-blk serial by which the guest finds the disk, whatever order the buses are probed in. */
  serial: id(parseDiskSerial),
  class: volumeClassSchema,
  limits: volumeLimitsSchema,
  /** What CreateVolume copied it from; it is part of what a repeated request must agree on. */
  source: v.optional(
    v.variant('kind', [
      v.strictObject({ kind: v.literal('snapshot'), snapshotId: id(parseSnapshotId) }),
      v.strictObject({ kind: v.literal('volume'), volumeId: id(parseVolumeId) }),
    ]),
  ),
  /** Made by NodePublish for one pod, and gone with its NodeUnpublish. */
  isEphemeral: v.boolean(),
  createdAtMs: count,
});
export type VolumeSpec = ReturnType<typeof volumeSpecRecord.decode>;

/** Files of a volume's directory in a pool. `lease` is locked with flock(2), and never replaced: its inode is the lock. */
export const VOLUME_FILES = { spec: 'spec.json', filesystem: 'fs.json', lease: 'lease', image: 'image.raw' } as const;
