import * as v from 'valibot';
import { count, defineRecord, filled } from './record.ts';

/**
 * `fs.json` in the volume's directory: what berth did to the disk's content. Written only by whoever holds the lease
 * (csi while it creates, then shims); durable. It is the proof that mkfs destroys nothing:
 *
 * - `never`: no mkfs was begun, nothing was ever mounted; a signature found now is foreign, and a refusal.
 * - `formatting`: mkfs may have run, the guest has not mounted: there are no user data, mkfs may run again.
 * - `formatted`: the guest may have mounted; never formatted again.
 */
export const volumeFilesystemRecord = defineRecord('volume filesystem', 1, () => ({
  state: v.picklist(['never', 'formatting', 'formatted']),
  /** Of the file system, once `formatted`. */
  uuid: v.optional(filled),
  formattedAtMs: v.optional(count),
}));
export type VolumeFilesystem = ReturnType<typeof volumeFilesystemRecord.decode>;
