import * as v from 'valibot';
import { parseDiskSerial, parseVolumeId } from './ids.ts';
import { count, defineRecord, filled, id, texts } from './record.ts';

export const FILESYSTEMS = ['ext4', 'xfs'] as const;
export type Filesystem = (typeof FILESYSTEMS)[number];

/** CSI access modes that a node-local block volume can honour (CSI 1.12, VolumeCapability.AccessMode). */
export const ACCESS_MODES = [
  'SINGLE_NODE_WRITER',
  'SINGLE_NODE_READER_ONLY',
  'SINGLE_NODE_SINGLE_WRITER',
  'SINGLE_NODE_MULTI_WRITER',
] as const;
export type AccessMode = (typeof ACCESS_MODES)[number];

/**
 * `spec.json` in the volume's directory: what the volume is. Written by csi when the volume is created (and when it
 * grows); durable. Names of the files beside it are fixed: see VOLUME_FILES.
 */
export const volumeSpecRecord = defineRecord('volume spec', 1, () => ({
  volumeId: id(parseVolumeId),
  /** The `name` of CreateVolume: its idempotency key. */
  name: filled,
  capacityBytes: count,
  fsType: v.picklist(FILESYSTEMS),
  accessModes: v.array(v.picklist(ACCESS_MODES)),
  /** virtio-blk serial by which the guest finds the disk, whatever order the buses are probed in. */
  serial: id(parseDiskSerial),
  /** Class parameters as CreateVolume got them, less the ones that have a field of their own. */
  parameters: texts,
}));
export type VolumeSpec = ReturnType<typeof volumeSpecRecord.decode>;

/** Files of a volume's directory in a pool. `lease` is locked with flock(2), and never replaced: its inode is the lock. */
export const VOLUME_FILES = { spec: 'spec.json', filesystem: 'fs.json', lease: 'lease', image: 'image.raw' } as const;
