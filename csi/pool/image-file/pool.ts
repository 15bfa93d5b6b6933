import { readdir, rm } from 'node:fs/promises';
import { describeError, Fault } from '../../../proto/fault.ts';
import type { SnapshotId, VolumeId } from '../../../proto/ids.ts';
import { SNAPSHOT_FILES, type VolumeSnapshot, volumeSnapshotRecord } from '../../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { exec } from '../../../runtime/system/node/exec.ts';
import { createNodeSystem, syncDirectory } from '../../../runtime/system/node/system.ts';
import type { System } from '../../../runtime/system/port.ts';
import type { HostCalls } from '../../host-calls.ts';
import { lockDirectory } from '../../instance-lock.ts';
import { ensurePoolIdentity } from '../identity.ts';
import { OrderedIndex } from '../ordered-index.ts';
import type { Pool, PoolOptions } from '../port.ts';
import { Budget } from './budget.ts';
import { Copies } from './copies.ts';
import { DirectorySync } from './directory-sync.ts';
import { fileSystemOf } from './file-system.ts';
import { describeMisfit, imageFacts } from './image.ts';
import { ImageFilePool } from './image-file-pool.ts';
import { Leases } from './leases.ts';
import { type Loaded, loadRecords } from './load.ts';
import { type ImageFilePaths, imageFilePaths } from './paths.ts';
import { probeFeatures, requireLocks } from './probe.ts';
import { qualify } from './qualify.ts';
import { Reserve, withReserve } from './reserve.ts';
import type { PoolState } from './state.ts';

export interface ImageFilePoolOptions extends PoolOptions {
  readonly host: HostCalls;
  readonly name: string;
  readonly directory: string;
  readonly stateDirectory: string;
  /** Also on a file system that keeps nothing: for tests. */
  readonly allowUnfit: boolean;
  /** Who holds the pool, for the server that finds it taken. */
  readonly owner: string;
  /** How long a verb waits for a copy before it is `busy`. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 3000;

/** Opening sweeps what a crash left half-way, and goes on with copies that can be gone on with. */
export async function openImageFilePool(options: ImageFilePoolOptions, log: Log): Promise<Pool> {
  const { host, name, directory, allowUnfit, owner, patienceMs = PATIENCE_MS } = options;
  await qualify(name, directory, allowUnfit);
  const lock = await lockDirectory(host, directory, `pool ${name}:`, owner);
  try {
    await requireLocks(host, name, `${directory}/lock`);
    const state = await open(options, log);
    const copies = new Copies(state, patienceMs, log);
    await copies.resume();
    return new ImageFilePool(state, copies, lock);
  } catch (cause) {
    await lock.release();
    if (cause instanceof Fault) throw cause;
    throw new Fault('io', `could not open pool ${name} in ${directory}`, { fields: { pool: name }, cause });
  }
}

async function open(options: ImageFilePoolOptions, log: Log): Promise<PoolState> {
  const { host, name, directory, overcommit = 1 } = options;
  const paths = imageFilePaths(directory);
  const system = createNodeSystem();
  const reserve = new Reserve(host, paths.reserve);
  await ensurePoolIdentity(withReserve(system, reserve), options);
  await layOut(system, paths, log);
  await sweep(paths.incoming, log);
  await sweep(paths.trash, log);
  const features = await probeFeatures(host, paths, reserve, log);
  await reserve.fill(log);
  log.info('pool opened', { directory, ...features });

  const files = withReserve(system, reserve);
  const { volumes, snapshots } = await loadAll(paths, log);
  warnOfMisfits(volumes, paths, log);
  const budget = new Budget(name, directory, overcommit);
  const leases = new Leases(host, paths.volumes);
  const copiedBytes = await allocatedBytesOfCopies(paths.copies);
  const allocatedBytes = allocatedBytesOf(volumes) + allocatedBytesOf(snapshots) + copiedBytes;
  await budget.begin(promisesOf(volumes, snapshots), allocatedBytes);
  return {
    ...{ name, paths, host, features, files, reserve, budget, leases },
    volumes: new OrderedIndex<VolumeId, VolumeSpec>(volumes.records, volumeIdOf),
    snapshots: new OrderedIndex<SnapshotId, VolumeSnapshot>(snapshots.records, snapshotIdOf),
    unreadable: new Map([...volumes.unreadable, ...snapshots.unreadable]),
    growing: new Set<VolumeId>(),
    volumesSync: await DirectorySync.open(paths.volumes),
    snapshotsSync: await DirectorySync.open(paths.snapshots),
  };
}

async function loadAll({ volumes, snapshots }: ImageFilePaths, log: Log) {
  return {
    volumes: await loadRecords(
      { parent: volumes, file: VOLUME_FILES.spec, codec: volumeSpecRecord, idOf: volumeIdOf },
      log,
    ),
    snapshots: await loadRecords(
      { parent: snapshots, file: SNAPSHOT_FILES.record, codec: volumeSnapshotRecord, idOf: snapshotIdOf },
      log,
    ),
  };
}

/**
 * To a volume its whole size, by its record: what a VMM can change of its image is no promise. To a snapshot, which is
 * never written, what it can come to hold alone.
 */
function promisesOf(volumes: Loaded<VolumeSpec>, snapshots: Loaded<VolumeSnapshot>): Map<string, number> {
  return new Map([
    ...[...volumes.images].map(([id, { sizeBytes }]) => [id, sizeBytes] as const),
    ...volumes.records.map(({ volumeId, capacityBytes }) => [volumeId, capacityBytes] as const),
    ...[...snapshots.images].map(([id, { allocatedBytes }]) => [id, allocatedBytes] as const),
  ]);
}

/** As VolumeConditions say it to who asks. */
function warnOfMisfits({ records, images }: Loaded<VolumeSpec>, paths: ImageFilePaths, log: Log): void {
  for (const { volumeId, capacityBytes } of records) {
    const sizeBytes = images.get(volumeId)?.sizeBytes ?? capacityBytes;
    const reason = describeMisfit(`${paths.volumes}/${volumeId}/${VOLUME_FILES.image}`, sizeBytes, capacityBytes);
    if (reason !== '') log.warn('a volume has not the size that it was made with', { volumeId, reason });
  }
}

function allocatedBytesOf({ images }: Loaded<unknown>): number {
  return [...images.values()].reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
}

/** One without an image cannot be gone on with. */
async function allocatedBytesOfCopies(copies: string): Promise<number> {
  const images = (await readdir(copies)).map((id) => imageBytes(`${copies}/${id}/${VOLUME_FILES.image}`));
  return (await Promise.all(images)).reduce((sum, bytes) => sum + bytes, 0);
}

const imageBytes = (path: string): Promise<number> =>
  imageFacts(path).then(
    ({ allocatedBytes }) => allocatedBytes,
    () => 0,
  );

const volumeIdOf = ({ volumeId }: VolumeSpec): VolumeId => volumeId;
const snapshotIdOf = ({ snapshotId }: VolumeSnapshot): SnapshotId => snapshotId;

/**
 * A predecessor may have been killed between a rename and its sync: what is found now is answered as durable.
 *
 * XFS gets no extent-size hints. Where 30 MiB were written in random 4 KiB, a hint of 64 KiB allocated 320 MiB and one of
 * 1 MiB all 512 MiB of the disk, and a thin volume is one that does not; of what clones share, XFS copies 128 KiB at a time
 * by itself (cowextsize).
 */
async function layOut(system: System, paths: ImageFilePaths, log: Log): Promise<void> {
  const { root, volumes, snapshots, incoming, copies, trash } = paths;
  for (const directory of [volumes, snapshots, incoming, copies, trash]) {
    await system.makeDirectory(directory, 0o700);
    await syncDirectory(directory);
  }
  await syncDirectory(root);
  if ((await fileSystemOf(root)) === 'btrfs') {
    for (const directory of [incoming, copies]) await ensureNoCopyOnWrite(directory, log);
  }
}

/** What is made in the directory is written in place, for a disk's random writes would scatter it; clones share all the same. */
async function ensureNoCopyOnWrite(directory: string, log: Log): Promise<void> {
  try {
    await exec('chattr', ['+C', directory]);
  } catch (error) {
    log.warn('images in this pool will fragment', { directory, reason: describeError(error) });
  }
}

async function sweep(directory: string, log: Log): Promise<void> {
  for (const name of await readdir(directory)) {
    log.warn('removing what an interrupted verb left', { path: `${directory}/${name}` });
    await rm(`${directory}/${name}`, { recursive: true });
  }
}
