import { readdir, rm } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import type { VolumeId } from '../../../proto/ids.ts';
import { VOLUME_FILES, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { createNodeSystem, syncDirectory } from '../../../runtime/system/node/system.ts';
import type { System } from '../../../runtime/system/port.ts';
import { recordFile } from '../../../runtime/system/record-file.ts';
import type { HostCalls } from '../../host-calls.ts';
import { lockDirectory } from '../../instance-lock.ts';
import { ensurePoolIdentity } from '../identity.ts';
import type { Pool } from '../port.ts';
import { createVolume } from './create.ts';
import { type ImageFilePaths, imageFilePaths } from './paths.ts';
import { qualify } from './qualify.ts';
import { removeVolume } from './remove.ts';

export interface ImageFilePoolOptions {
  readonly host: HostCalls;
  readonly name: string;
  readonly directory: string;
  readonly stateDirectory: string;
  /** Also on a file system that keeps nothing: for tests. */
  readonly allowUnfit: boolean;
  /** Who holds the pool, for the server that finds it taken. */
  readonly owner: string;
}

/** Volumes as sparse raw images in a directory of a local file system. Opening sweeps what a crash left half-way. */
export async function openImageFilePool(options: ImageFilePoolOptions, log: Log): Promise<Pool> {
  const { name, directory, allowUnfit, owner } = options;
  await qualify(name, directory, allowUnfit);
  const lock = await lockDirectory(options.host, directory, `pool ${name}:`, owner);
  const paths = imageFilePaths(directory);
  const system = createNodeSystem();
  try {
    await ensurePoolIdentity(system, options);
    await layOut(system, paths);
    await sweep(paths.incoming, log);
    await sweep(paths.trash, log);
  } catch (cause) {
    await lock.release();
    if (cause instanceof Fault) throw cause;
    throw new Fault('io', `could not open pool ${name} in ${directory}`, { fields: { pool: name }, cause });
  }

  const directoryOf = (volumeId: VolumeId): string => `${paths.volumes}/${volumeId}`;
  return {
    name,
    directoryOf,
    find: (volumeId) => {
      const path = `${directoryOf(volumeId)}/${VOLUME_FILES.spec}`;
      return recordFile(system, volumeSpecRecord, path, { durable: true }).load();
    },
    create: (spec) => createVolume(paths, spec),
    remove: (volumeId, callLog) => removeVolume(paths, volumeId, callLog),
    close: () => lock.release(),
  };
}

/** A predecessor may have been killed between a rename and its sync: what is found now is answered as durable. */
async function layOut(system: System, { root, volumes, incoming, trash }: ImageFilePaths): Promise<void> {
  for (const directory of [volumes, incoming, trash]) {
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
