import { link, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { exec } from '../system/node/exec.ts';
import { abortable } from './abortable.ts';
import { copyDisk, syncFile } from './copy-disk.ts';
import { isCopyName, toCopyName } from './copy-name.ts';
import { holdLease } from './hold-lease.ts';
import type { VolumeView } from './list-volumes.ts';

const PARTIAL = '.partial';

export interface SavedDisk {
  readonly path: string;
  /** The disk's ctime when it was copied, as `stat --format=%.9Z` has it. */
  readonly unchangedSince: string;
}

/** Copies the disk of a volume that no VM has. The copy is there as a whole or not at all. */
export function saveDisk(volume: VolumeView): Promise<SavedDisk> {
  const { directory } = volume;
  return abortable((signal) =>
    holdLease(volume, async (lease) => {
      await clearUp(directory);
      const image = `${directory}/${VOLUME_FILES.image}`;
      const path = `${directory}/${toCopyName(new Date())}`;
      try {
        const blocks = isThick(volume) ? 'own' : 'shared';
        await copyDisk({ from: image, to: `${path}${PARTIAL}`, blocks }, lease, signal);
        await rename(`${path}${PARTIAL}`, path);
        await syncFile(directory);
      } finally {
        await rm(`${path}${PARTIAL}`, { force: true });
      }
      return { path, unchangedSince: toSeconds((await stat(image, { bigint: true })).ctimeNs) };
    }),
  );
}

/**
 * Puts the copy in the place of the disk, at one instant; what was the disk until then is a copy from now on, whose name
 * is answered. `note` is asked to record it before anybody can have the volume.
 */
export function restoreDisk(volume: VolumeView, name: string, note: () => Promise<void>): Promise<string> {
  const { volumeId, directory, spec } = volume;
  return holdLease(volume, async () => {
    await clearUp(directory);
    const copies = (await readdir(directory)).filter(isCopyName);
    if (!copies.includes(name)) {
      const known = copies.length === 0 ? 'there is none' : `there is ${copies.join(', ')}`;
      throw new Fault('not-found', `volume ${volumeId} has no copy ${name}: ${known}`, { fields: { volumeId } });
    }
    const [copy, image] = [`${directory}/${name}`, `${directory}/${VOLUME_FILES.image}`];
    // The volume may have grown since, and its disk has the size that the record says.
    await extend(copy, spec?.capacityBytes ?? 0, isThick(volume));
    await syncFile(copy);
    const setAside = toCopyName(new Date());
    await link(image, `${directory}/${setAside}`);
    await rename(copy, image);
    await note();
    await syncFile(directory);
    return setAside;
  });
}

async function extend(path: string, sizeBytes: number, thick: boolean): Promise<void> {
  if (thick) await exec('fallocate', ['--length', String(sizeBytes), path]);
  else if ((await stat(path)).size < sizeBytes) await truncate(path, sizeBytes);
}

/** What was killed on the way left: half a copy, or a second name of the disk itself, which is no copy. */
async function clearUp(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = `${directory}/${name}`;
    const isHalf = name.endsWith(`.raw${PARTIAL}`);
    const isSecondName = isCopyName(name) && (await stat(path)).nlink > 1;
    if (isHalf || isSecondName) await rm(path);
  }
}

/** `shared` blocks would be promised to the disk alone. */
const isThick = ({ spec }: VolumeView): boolean => spec?.class.provisioning === 'thick';

function toSeconds(ns: bigint): string {
  const digits = ns.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
