import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { abortable } from './abortable.ts';
import { copyDisk, syncFile } from './copy-disk.ts';
import { isCopyName, toCopyName } from './copy-name.ts';
import { extendDisk } from './disk-size.ts';
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
    holdLease(volume, 'its disk is being copied, before a rescue', async (lease) => {
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
 * is answered. `note` is asked to record it first: a volume that says too soon what is wrong with it harms nobody.
 */
export function restoreDisk(volume: VolumeView, name: string, note: () => Promise<void>): Promise<string> {
  const { volumeId, directory } = volume;
  return holdLease(volume, 'its disk is being put back', async () => {
    await clearUp(directory);
    const copies = (await readdir(directory)).filter(isCopyName);
    if (!copies.includes(name)) {
      const known = copies.length === 0 ? 'there is none' : `there is ${copies.join(', ')}`;
      throw new Fault('not-found', `volume ${volumeId} has no copy ${name}: ${known}`, { fields: { volumeId } });
    }
    const [copy, image] = [`${directory}/${name}`, `${directory}/${VOLUME_FILES.image}`];
    await extendDisk(copy, directory);
    await syncFile(copy);
    await note();
    const setAside = toCopyName(new Date());
    await link(image, `${directory}/${setAside}`);
    await rename(copy, image);
    await syncFile(directory);
    return setAside;
  });
}

/** What was killed on the way left: half a copy, or a second name of the disk itself, which is no copy. */
async function clearUp(directory: string): Promise<void> {
  const { ino: disk } = await stat(`${directory}/${VOLUME_FILES.image}`);
  for (const name of await readdir(directory)) {
    const path = `${directory}/${name}`;
    const isHalf = name.endsWith(`.raw${PARTIAL}`);
    const isSecondName = isCopyName(name) && (await stat(path)).ino === disk;
    if (isHalf || isSecondName) await rm(path);
  }
}

/** `shared` blocks would be promised to the disk alone. */
const isThick = ({ spec }: VolumeView): boolean => spec?.class.provisioning === 'thick';

function toSeconds(ns: bigint): string {
  const digits = ns.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
