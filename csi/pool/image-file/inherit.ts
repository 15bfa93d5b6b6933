import { Fault } from '../../../proto/fault.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import type { Files } from '../../../runtime/system/port.ts';
import { recordFile } from '../../../runtime/system/record-file.ts';

/** `fs.json` at the path. */
export async function readFilesystem(files: Files, path: string): Promise<VolumeFilesystem> {
  const found = await recordFile(files, volumeFilesystemRecord, path, { durable: true }).load();
  if (found === undefined) throw new Fault('io', `${path} is not there`, { fields: { path } });
  return found;
}

/**
 * Makes a copy of a disk, and answers what is known of the file system on it. A guest may be at work meanwhile: only if
 * its record says the same before and after does it hold for the copy. `busy` while a file system is being made, of which
 * a copy would be half of one.
 */
export async function copyWithFilesystem(
  files: Files,
  path: string,
  copy: () => Promise<void>,
): Promise<VolumeFilesystem> {
  const before = await readFilesystem(files, path);
  requireSettled(before, path);
  await copy();
  const after = await readFilesystem(files, path);
  if (after.state !== before.state) throw unsettled(path);
  return inherit(after);
}

function requireSettled({ state }: VolumeFilesystem, path: string): void {
  if (state === 'formatting') throw unsettled(path);
}

function unsettled(path: string): Fault {
  const message = `the file system of the source is being made (${path}); try again when its pod runs`;
  return new Fault('busy', message, { fields: { path } });
}

/** What was measured, and what went wrong, was so of the other disk. */
function inherit({ state, uuid, formattedAtMs }: VolumeFilesystem): VolumeFilesystem {
  return {
    state,
    ...(uuid === undefined ? {} : { uuid }),
    ...(formattedAtMs === undefined ? {} : { formattedAtMs }),
  };
}
