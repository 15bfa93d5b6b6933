import { readdir, rm } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { count, defineRecord } from '../../../proto/record.ts';
import { VOLUME_FILES } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { recordFile } from '../../../runtime/system/record-file.ts';
import { dataExtents } from '../../extents.ts';
import type { HostCalls } from '../../host-calls.ts';
import type { Extent, PoolSource } from '../port.ts';
import { makeBuilding, place } from './build.ts';
import { copyData } from './copy-data.ts';
import type { CopyOrder } from './copy-order.ts';
import { sourceFiles } from './create.ts';
import { extendImage, makeImage } from './image.ts';
import { copyWithFilesystem } from './inherit.ts';
import { writeDurably } from './new-files.ts';
import type { PoolState } from './state.ts';

/** `progress.json` beside a copy in the making: what comes before the offset is copied. Durable; csi alone reads it. */
const copyProgressRecord = defineRecord('copy progress', 1, { copiedTo: count });
const PROGRESS = 'progress.json';

export interface CopyWatch {
  readonly signal: AbortSignal;
  onTotal(bytes: number): void;
  onCopied(bytes: number): void;
}

/** Copies, and places what was copied. Begins where `progress.json` of an earlier start says, if it is there. */
export async function runCopy(pool: PoolState, order: CopyOrder, watch: CopyWatch, log: Log): Promise<void> {
  const directory = `${pool.paths.copies}/${order.target.id}`;
  const image = `${directory}/${VOLUME_FILES.image}`;
  const from = sourceFiles(pool, order.source);
  const release = await holdSource(pool, order);
  try {
    requireRoom(pool, order);
    const progress = progressFile(pool, order.target.id);
    const done = await progress.load();
    if (done === undefined) await begin(pool, order, directory);
    else await goOn(pool, order, directory);
    const filesystem = await copyWithFilesystem(pool.files, from.filesystem, async () => {
      const extents = await extentsOrAll(pool.host, from.image, sizeOf(pool, order.source));
      watch.onTotal(extents.reduce((sum, { length }) => sum + length, 0));
      await copyData(from.image, image, extents, {
        startAt: done?.copiedTo ?? 0,
        signal: watch.signal,
        onCopied: watch.onCopied,
        onCheckpoint: (copiedTo) => progress.save({ copiedTo }),
      });
    });
    await order.finish(directory, filesystem);
    await progress.remove();
    await place(pool.paths, directory, order.target, log);
    order.onPlaced();
  } finally {
    await release();
  }
}

export function progressFile({ paths, files }: PoolState, id: string) {
  return recordFile(files, copyProgressRecord, `${paths.copies}/${id}/${PROGRESS}`, { durable: true });
}

/** Where the data of an image are; all of it where the file system does not tell. */
export async function extentsOrAll(host: HostCalls, path: string, sizeBytes: number): Promise<readonly Extent[]> {
  try {
    return dataExtents(await host.extents(path), sizeBytes);
  } catch (error) {
    if (error instanceof Fault && error.code === 'unsupported') return [{ offset: 0, length: sizeBytes }];
    throw error;
  }
}

/** The progress last: without it, what is there is no copy that could be gone on with. */
async function begin(pool: PoolState, { target, shape, record }: CopyOrder, directory: string): Promise<void> {
  await makeBuilding(directory);
  await makeImage(pool.host, `${directory}/${VOLUME_FILES.image}`, shape);
  await writeDurably(directory, [record]);
  await progressFile(pool, target.id).save({ copiedTo: 0 });
}

/** Without what an earlier attempt had added to a whole image; the image's size may not have reached the disk. */
async function goOn(pool: PoolState, { shape, record }: CopyOrder, directory: string): Promise<void> {
  const kept = [VOLUME_FILES.image, record.name, PROGRESS];
  for (const name of await readdir(directory)) if (!kept.includes(name)) await rm(`${directory}/${name}`);
  await extendImage(pool.host, `${directory}/${VOLUME_FILES.image}`, shape);
}

function sizeOf(pool: PoolState, source: PoolSource): number {
  const found =
    source.kind === 'snapshot'
      ? pool.snapshots.get(source.snapshotId)?.sizeBytes
      : pool.volumes.get(source.volumeId)?.capacityBytes;
  if (found === undefined) throw new Fault('not-found', `the source of the copy is not there any more`);
  return found;
}

/** It may have waited, and a copy that is cut off is none. What is asked for again is as large as it must be now. */
function requireRoom(pool: PoolState, { source, shape, target }: CopyOrder): void {
  const sizeBytes = sizeOf(pool, source);
  if (sizeBytes <= shape.sizeBytes) return;
  const message = `the source of ${target.id} has grown to ${sizeBytes} bytes before it could be copied; ask again`;
  throw new Fault('busy', message, { fields: { id: target.id, sizeBytes } });
}

/** No VM may write to a volume while it is copied. A snapshot does not change. */
async function holdSource(pool: PoolState, { source, target }: CopyOrder): Promise<() => Promise<void>> {
  if (source.kind === 'snapshot') return async () => undefined;
  const lock = await pool.leases.takeForLong(source.volumeId, `it is being copied to ${target.id}`);
  if (lock === undefined) throw await pool.leases.refusal(source.volumeId);
  return () => lock.release();
}
