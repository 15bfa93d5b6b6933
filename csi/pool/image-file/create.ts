import type { VolumeId } from '../../../proto/ids.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { SNAPSHOT_FILES } from '../../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { formatForKata } from '../../kata-format.ts';
import type { PoolSource } from '../port.ts';
import { build, writeNew } from './build.ts';
import { cloneImage, extendImage, makeImage } from './image.ts';
import { copyWithFilesystem } from './inherit.ts';
import { type PoolState, volumePlace } from './state.ts';

export async function createBlank(pool: PoolState, spec: VolumeSpec, log: Log): Promise<void> {
  await create(
    pool,
    spec,
    async (image) => {
      await makeImage(pool.host, image, shapeOf(spec));
      return { state: 'never' };
    },
    log,
  );
}

/** Shares the content of the source until one of them is written: instant, and of a volume that a guest writes too. */
export async function createClone(
  pool: PoolState,
  spec: VolumeSpec,
  { source, onShared }: { source: PoolSource; onShared: (() => Promise<void>) | undefined },
  log: Log,
): Promise<void> {
  const from = sourceFiles(pool, source);
  await create(
    pool,
    spec,
    async (image) => {
      const filesystem = await copyWithFilesystem(pool.files, from.filesystem, () =>
        cloneImage(pool.host, from.image, image),
      );
      await onShared?.();
      await extendImage(pool.host, image, shapeOf(spec));
      return filesystem;
    },
    log,
  );
}

/** Files of a volume that has its image and its spec. */
export async function writeVolumeFiles(directory: string, filesystem: VolumeFilesystem): Promise<void> {
  await Promise.all([
    writeNew(`${directory}/${VOLUME_FILES.filesystem}`, volumeFilesystemRecord.encode(filesystem)),
    writeNew(`${directory}/${VOLUME_FILES.lease}`, ''),
  ]);
}

/** Stock Kata formats nothing, so a volume for it begins with a file system. */
export async function formatIfForKata(
  image: string,
  spec: VolumeSpec,
  filesystem: VolumeFilesystem,
): Promise<VolumeFilesystem> {
  if (spec.class.consumer !== 'kata' || filesystem.state !== 'never') return filesystem;
  return { state: 'formatted', uuid: await formatForKata(image, spec), formattedAtMs: Date.now() };
}

export function sourceFiles({ paths }: PoolState, source: PoolSource): { image: string; filesystem: string } {
  const directory =
    source.kind === 'snapshot' ? `${paths.snapshots}/${source.snapshotId}` : `${paths.volumes}/${source.volumeId}`;
  const files = source.kind === 'snapshot' ? SNAPSHOT_FILES : VOLUME_FILES;
  return { image: `${directory}/${files.image}`, filesystem: `${directory}/${files.filesystem}` };
}

export function shapeOf({ capacityBytes, class: { provisioning } }: VolumeSpec) {
  return { sizeBytes: capacityBytes, isThick: provisioning === 'thick' };
}

async function create(
  pool: PoolState,
  spec: VolumeSpec,
  fillImage: (image: string) => Promise<VolumeFilesystem>,
  log: Log,
): Promise<void> {
  const id: VolumeId = spec.volumeId;
  const fill = async (building: string): Promise<void> => {
    const image = `${building}/${VOLUME_FILES.image}`;
    const filesystem = await formatIfForKata(image, spec, await fillImage(image));
    await Promise.all([
      writeNew(`${building}/${VOLUME_FILES.spec}`, volumeSpecRecord.encode(spec)),
      writeVolumeFiles(building, filesystem),
    ]);
  };
  const plan = { target: volumePlace(pool, id), bytes: spec.capacityBytes, what: `create volume ${id}` };
  await build(pool, plan, fill, log);
  pool.volumes.put(spec);
}
