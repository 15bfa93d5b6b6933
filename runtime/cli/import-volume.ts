import { stat } from 'node:fs/promises';
import type { CsiClient } from '../../deploy/demo/csi-client.ts';
import { describeError, Fault } from '../../proto/fault.ts';
import { decodeWith } from '../../proto/record.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { type Filesystem, VOLUME_FILES } from '../../proto/volume-spec.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { recordFile } from '../system/record-file.ts';
import { abortable } from './abortable.ts';
import { formatJson } from './command.ts';
import { copyDisk, syncFile } from './copy-disk.ts';
import { extendDisk } from './disk-size.ts';
import { withDriver } from './driver.ts';
import { holdLease } from './hold-lease.ts';
import { type CreatedVolume, createReply, toPersistentVolume } from './persistent-volume.ts';
import { type PoolFlag, requirePool } from './pool-flag.ts';
import { type ImageFacts, readImage } from './read-image.ts';

export interface ImportOptions {
  /** Of the PersistentVolume. */
  readonly name: string;
  readonly pool: PoolFlag;
  /** Socket of berth-csi. */
  readonly socket: string;
  /** Of the image; undefined: whichever it has. */
  readonly fsType: Filesystem | undefined;
}

/** What berth-csi is asked for, so that no claim's volume is ever taken for half an import, whatever its name. */
const toVolumeName = (name: string): string => `imported-${name}`;

/**
 * An existing raw image becomes a volume: berth-csi makes it, its disk is filled under its lease, and a PersistentVolume
 * that names it is printed. Until the disk is whole, its record says `formatting`: that there are no data in it. A failure
 * takes the volume back; what an import that was killed left is begun anew by the same command.
 */
export async function importVolume(file: string, options: ImportOptions): Promise<number> {
  const image = await readImage(file, options.fsType);
  requirePool(options.pool); // Before there is a volume: berth-csi knows its pools by name alone.
  const volume = await withDriver(options.socket, async (driver) => {
    const made = await createVolume(driver, image, options);
    const filling = {
      file,
      sizeBytes: image.sizeBytes,
      directory: `${options.pool.directory}/volumes/${made.volume_id}`,
    };
    await abortable((signal) => fillVolume(driver, made, filling, signal));
    return made;
  });
  process.stdout.write(formatJson(toPersistentVolume(volume, { name: options.name, fsType: image.fsType })));
  return 0;
}

async function createVolume(
  driver: CsiClient,
  { sizeBytes, fsType }: ImageFacts,
  { name, pool }: ImportOptions,
): Promise<CreatedVolume> {
  const reply = await driver.call('Controller', 'CreateVolume', {
    name: toVolumeName(name),
    capacity_range: { required_bytes: sizeBytes },
    volume_capabilities: [{ mount: { fs_type: fsType }, access_mode: { mode: 'SINGLE_NODE_WRITER' } }],
    parameters: { pool: pool.name },
  });
  return decodeWith(createReply, reply, 'CreateVolume').volume;
}

interface Filling {
  readonly file: string;
  readonly sizeBytes: number;
  /** Of the volume. */
  readonly directory: string;
}

async function fillVolume(
  driver: CsiClient,
  { volume_id: volumeId }: CreatedVolume,
  { file, sizeBytes, directory }: Filling,
  signal: AbortSignal,
): Promise<void> {
  let isOurs = false;
  try {
    await holdLease({ volumeId, directory }, 'an image is being imported to it', async (lease) => {
      const record = await openRecord(directory, volumeId);
      isOurs = true;
      await record.save({ state: 'formatting' });
      const disk = `${directory}/${VOLUME_FILES.image}`;
      await copyDisk({ from: file, to: disk, blocks: 'sparse' }, lease, signal);
      if ((await stat(disk)).size !== sizeBytes) throw changedFault(file);
      // The image may be smaller than the volume, and the volume larger than it was made.
      await extendDisk(disk, directory);
      await syncFile(disk);
      await record.save({ state: 'raw' });
    });
  } catch (error) {
    if (isOurs) await takeBack(driver, volumeId, error);
    throw error;
  }
}

function changedFault(file: string): Fault {
  const message = `${file} was changed while it was imported; end whatever writes to it, and try again`;
  return new Fault('precondition', message, { fields: { file } });
}

/** A volume of that name may have been there before: what it holds is not overwritten. */
async function openRecord(directory: string, volumeId: string) {
  const path = `${directory}/${VOLUME_FILES.filesystem}`;
  const record = recordFile(createNodeSystem(), volumeFilesystemRecord, path, { durable: true });
  const found = await record.load();
  if (found === undefined) throw new Fault('not-found', `volume ${volumeId}: there is no ${path} any more`);
  if (found.state === 'never' || found.state === 'formatting') return record;
  const message = `volume ${volumeId} is there already, and has been used; take another --name, or delete it first`;
  throw new Fault('exists', `${message} (berth volume delete)`, { fields: { volumeId } });
}

async function takeBack(driver: CsiClient, volumeId: string, failure: unknown): Promise<void> {
  try {
    await driver.call('Controller', 'DeleteVolume', { volume_id: volumeId });
  } catch (error) {
    const message = `${describeError(failure)}; volume ${volumeId}, which has a part of it, could not be deleted`;
    throw new Fault('io', `${message}: repeat the import, or delete it (berth volume delete)`, { cause: error });
  }
}
