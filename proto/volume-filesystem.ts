import * as v from 'valibot';
import { count, defineRecord, filled } from './record.ts';

/**
 * `fs.json` in the volume's directory: what berth did to the disk's content. Written only by whoever holds the lease (csi
 * while it creates, then shims; the CLI for an import, or for going back to a copy); durable. It is the proof that mkfs
 * destroys nothing:
 *
 * - `never`: no mkfs was begun, nothing was ever mounted; a signature found now is foreign, and a refusal.
 * - `formatting`: mkfs may have run, the guest has not mounted: there are no user data, mkfs may run again. So does a
 *   disk begin that an image is imported to: it is `raw` when it is whole.
 * - `formatted`: the guest may have mounted; never formatted again.
 * - `raw`: a guest had the disk as a block device, and may have written anything; never formatted, but a file system
 *   that it made is mounted.
 */
export const volumeFilesystemRecord = defineRecord('volume filesystem', 1, {
  state: v.picklist(['never', 'formatting', 'formatted', 'raw']),
  /** Of the file system, once `formatted`. */
  uuid: v.optional(filled),
  formattedAtMs: v.optional(count),
  /** What the guest said last, for when nobody can be asked. */
  measured: v.optional(
    v.strictObject({
      atMs: count,
      capacityBytes: count,
      availableBytes: count,
      usedBytes: count,
      inodes: count,
      inodesFree: count,
    }),
  ),
  /** Why the file system could not be used the last time, for a person; absent when it could. */
  problem: v.optional(v.string()),
});
export type VolumeFilesystem = ReturnType<typeof volumeFilesystemRecord.decode>;
