import { readdir, rm, stat, statfs } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import type { SnapshotId, VolumeId } from '../../../proto/ids.ts';
import { volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { SNAPSHOT_FILES, type VolumeSnapshot, volumeSnapshotRecord } from '../../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { createNodeSystem, syncDirectory } from '../../../runtime/system/node/system.ts';
import type { System } from '../../../runtime/system/port.ts';
import { recordFile } from '../../../runtime/system/record-file.ts';
import type { HostCalls } from '../../host-calls.ts';
import { lockDirectory } from '../../instance-lock.ts';
import { ensurePoolIdentity } from '../identity.ts';
import { OrderedIndex } from '../ordered-index.ts';
import type { Pool, PoolOptions } from '../port.ts';
import { createVolume } from './create.ts';
import { loadRecords } from './load.ts';
import { type ImageFilePaths, imageFilePaths } from './paths.ts';
import { qualify } from './qualify.ts';
import { removeVolume } from './remove.ts';

export interface ImageFilePoolOptions extends PoolOptions {
  readonly host: HostCalls;
  readonly name: string;
  readonly directory: string;
  readonly stateDirectory: string;
  /** Also on a file system that keeps nothing: for tests. */
  readonly allowUnfit: boolean;
  /** Who holds the pool, for the server that finds it taken. */
  readonly owner: string;
}

/** Volumes as raw images in a directory of a local file system. Opening sweeps what a crash left half-way. */
export async function openImageFilePool(options: ImageFilePoolOptions, log: Log): Promise<Pool> {
  const { host, name, directory, allowUnfit, owner } = options;
  await qualify(name, directory, allowUnfit);
  const lock = await lockDirectory(host, directory, `pool ${name}:`, owner);
  try {
    const pool = await open(options, log);
    return { ...pool, close: () => lock.release() };
  } catch (cause) {
    await lock.release();
    if (cause instanceof Fault) throw cause;
    throw new Fault('io', `could not open pool ${name} in ${directory}`, { fields: { pool: name }, cause });
  }
}

async function open(options: ImageFilePoolOptions, log: Log): Promise<Omit<Pool, 'close'>> {
  const { host, name } = options;
  const paths = imageFilePaths(options.directory);
  const system = createNodeSystem();
  await ensurePoolIdentity(system, options);
  await layOut(system, paths);
  await sweep(paths.incoming, log);
  await sweep(paths.trash, log);
  const loadedVolumes = await loadRecords(
    { parent: paths.volumes, file: VOLUME_FILES.spec, codec: volumeSpecRecord, idOf: volumeIdOf },
    log,
  );
  const loadedSnapshots = await loadRecords(
    { parent: paths.snapshots, file: SNAPSHOT_FILES.record, codec: volumeSnapshotRecord, idOf: snapshotIdOf },
    log,
  );
  const volumes = new OrderedIndex<VolumeId, VolumeSpec>(loadedVolumes.records, volumeIdOf);
  const snapshots = new OrderedIndex<SnapshotId, VolumeSnapshot>(loadedSnapshots.records, snapshotIdOf);
  const unreadable = new Map([...loadedVolumes.unreadable, ...loadedSnapshots.unreadable]);
  const directoryOf = (volumeId: VolumeId): string => `${paths.volumes}/${volumeId}`;
  const requireReadable = (id: string): void => {
    const fault = unreadable.get(id);
    if (fault !== undefined) throw fault;
  };
  const notYet = (what: string): Fault => new Fault('unsupported', `pool ${name} cannot ${what}`);

  return {
    name,
    features: { snapshots: 'copy', directIo: true, reason: 'image files' },
    volumes: () => volumes.all(),
    snapshots: () => snapshots.all(),
    unreadable,
    directoryOf,
    files: system,
    find(volumeId) {
      requireReadable(volumeId);
      return volumes.get(volumeId);
    },
    findSnapshot(snapshotId) {
      requireReadable(snapshotId);
      return snapshots.get(snapshotId);
    },
    async filesystemOf(volumeId) {
      const path = `${directoryOf(volumeId)}/${VOLUME_FILES.filesystem}`;
      const found = await recordFile(system, volumeFilesystemRecord, path, { durable: true }).load();
      if (found === undefined) throw new Fault('not-found', `there is no ${path}`, { fields: { volumeId } });
      return found;
    },
    async space() {
      const { blocks, bavail, bsize } = await statfs(paths.root);
      const freeBytes = bavail * bsize;
      const totalBytes = blocks * bsize;
      return { totalBytes, availableBytes: freeBytes, maximumVolumeBytes: totalBytes, freeBytes };
    },
    async allocatedBytes(volumeId) {
      return (await stat(`${directoryOf(volumeId)}/${VOLUME_FILES.image}`)).blocks * 512;
    },
    async create(spec, source) {
      if (source !== undefined) throw notYet('copy volumes');
      await createVolume(paths, spec);
      volumes.put(spec);
    },
    async grow() {
      throw notYet('grow volumes');
    },
    async update() {
      throw notYet('change volumes');
    },
    async remove(volumeId, callLog) {
      const removed = await removeVolume(paths, host, volumeId, callLog);
      volumes.delete(volumeId);
      return removed;
    },
    async ownerOf(volumeId) {
      const lock = await host.tryLock(`${directoryOf(volumeId)}/${VOLUME_FILES.lease}`);
      await lock?.release();
      return lock === undefined ? { kind: 'other', words: 'another process' } : { kind: 'free' };
    },
    lease: (volumeId) => host.tryLock(`${directoryOf(volumeId)}/${VOLUME_FILES.lease}`),
    async createSnapshot() {
      throw notYet('make snapshots');
    },
    async removeSnapshot() {
      return false;
    },
    async extents() {
      throw notYet('tell where data are');
    },
  };
}

const volumeIdOf = ({ volumeId }: VolumeSpec): VolumeId => volumeId;
const snapshotIdOf = ({ snapshotId }: VolumeSnapshot): SnapshotId => snapshotId;

/** A predecessor may have been killed between a rename and its sync: what is found now is answered as durable. */
async function layOut(system: System, { root, volumes, snapshots, incoming, trash }: ImageFilePaths): Promise<void> {
  for (const directory of [volumes, snapshots, incoming, trash]) {
    await system.makeDirectory(directory, 0o700);
    await syncDirectory(directory);
  }
  await syncDirectory(root);
}

async function sweep(directory: string, log: Log): Promise<void> {
  for (const name of await readdir(directory)) {
    log.warn('removing what an interrupted verb left', { path: `${directory}/${name}` });
    await rm(`${directory}/${name}`, { recursive: true });
  }
}
