import * as v from 'valibot';
import { count } from './record.ts';

export const PROVISIONINGS = ['thin', 'thick'] as const;
export const CACHES = ['writeback', 'none'] as const;
export const AIO_ENGINES = ['threads', 'native', 'io_uring'] as const;
export const OWNERSHIP_POLICIES = ['OnRootMismatch', 'Always'] as const;
export const CONSUMERS = ['berth', 'kata'] as const;

/**
 * What a StorageClass says of a volume beyond pool, size and file system: fixed when the volume is created, and part of
 * `spec.json`, so that the runtime need not know Kubernetes to honour it.
 */
export const volumeClassSchema = v.strictObject({
  /** `thick`: every block is allocated at creation, and discards of the guest are ignored. */
  provisioning: v.picklist(PROVISIONINGS),
  /** Of the host's page cache. Both keep what the guest has flushed. */
  cache: v.picklist(CACHES),
  /** `native` needs cache none. */
  aio: v.picklist(AIO_ENGINES),
  /** Queues of the disk; 0: one for each virtual CPU. */
  queues: count,
  /** A thread of its own for the disk, beside the VMM's main loop. */
  iothread: v.boolean(),
  discard: v.boolean(),
  fsGroupChangePolicy: v.picklist(OWNERSHIP_POLICIES),
  /** `kata`: stock Kata Containers boots the pod; it formats nothing, so the volume is formatted at creation. */
  consumer: v.picklist(CONSUMERS),
  /** Added to berth's own mkfs options, as words. */
  mkfsOptions: v.array(v.string()),
});
export type VolumeClass = v.InferOutput<typeof volumeClassSchema>;

/** What a volume is whose class says nothing. */
export const DEFAULT_CLASS: VolumeClass = {
  provisioning: 'thin',
  cache: 'writeback',
  aio: 'threads',
  queues: 0,
  iothread: false,
  discard: true,
  fsGroupChangePolicy: 'OnRootMismatch',
  consumer: 'berth',
  mkfsOptions: [],
};

/** Limits that may change while the volume is in use (ControllerModifyVolume); 0: none. */
export const volumeLimitsSchema = v.strictObject({
  /** Reads and writes together, per second. */
  iops: count,
  /** Bytes per second, reads and writes together. */
  bandwidthBytes: count,
});
export type VolumeLimits = v.InferOutput<typeof volumeLimitsSchema>;

export const NO_LIMITS: VolumeLimits = { iops: 0, bandwidthBytes: 0 };
