import * as v from 'valibot';
import { defineRecord, filled } from './record.ts';

const file = v.strictObject({ file: filled, sha256: filled });

/**
 * dist/guest/manifest.json: what a pod VM boots. Written by the build; read by the shim, which resolves the file names
 * against the manifest's own directory. Files carry their hash in their name and are never rewritten in place: running
 * VMs keep theirs.
 */
export const guestManifestRecord = defineRecord('guest manifest', 1, {
  kernelVersion: filled,
  /** Uncompressed ELF with a PVH note: a second faster under TCG than a bzImage. */
  kernel: file,
  /** The agent as /init and the modules that find the root disk. */
  initrd: file,
  /** Read-only root of every VM, erofs. */
  root: file,
  /** Debian packages of the root, `name=version`, sorted. */
  packages: v.array(filled),
});
export type GuestManifest = ReturnType<typeof guestManifestRecord.decode>;
