import type { VolumeId } from '../../../proto/ids.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { SNAPSHOT_FILES } from '../../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { formatForKata } from '../../kata-format.ts';
import type { PoolSource } from '../port.ts';
import { build } from './build.ts';
import { cloneImage, extendImage, makeImage } from './image.ts';
import { copyWithFilesystem } from './inherit.ts';
import { type NewFile, writeDurably } from './new-files.ts';
import { type PoolState, volumePlace } from './state.ts';

const BLANK: VolumeFilesystem = { state: 'never' };
/** One that is written already. */
const IMAGE: NewFile = { name: VOLUME_FILES.image };

interface Content {
  readonly image: NewFile;
  readonly filesystem: VolumeFilesystem;
}

export async function createBlank(pool: PoolState, spec: VolumeSpec, log: Log): Promise<void> {
  await create(
    pool,
    spec,
    async (path) => {
      const shape = shapeOf(spec);
      if (!shape.isThick && spec.class.consumer !== 'kata') {
        return { image: { name: VOLUME_FILES.image, holeBytes: shape.sizeBytes }, filesystem: BLANK };
      }
      await makeImage(pool.host, path, shape);
      return { image: IMAGE, filesystem: await formatIfForKata(path, spec, BLANK) };
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
    async (path) => {
      const filesystem = await copyWithFilesystem(pool.files, from.filesystem, () =>
        cloneImage(pool.host, from.image, path),
      );
      await onShared?.();
      await extendImage(pool.host, path, shapeOf(spec));
      return { image: IMAGE, filesystem: await formatIfForKata(path, spec, filesystem) };
    },
    log,
  );
}

/** What a volume has beside its image and its spec. */
export const filesBesideSpec = (filesystem: VolumeFilesystem): readonly NewFile[] => [
  { name: VOLUME_FILES.filesystem, text: volumeFilesystemRecord.encode(filesystem) },
  { name: VOLUME_FILES.lease, text: '' },
];

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
  makeContent: (path: string) => Promise<Content>,
  log: Log,
): Promise<void> {
  const id: VolumeId = spec.volumeId;
  const fill = async (building: string): Promise<void> => {
    const { image, filesystem } = await makeContent(`${building}/${VOLUME_FILES.image}`);
    const record = { name: VOLUME_FILES.spec, text: volumeSpecRecord.encode(spec) };
    await writeDurably(building, [image, record, ...filesBesideSpec(filesystem)]);
  };
  const plan = { target: volumePlace(pool, id), bytes: spec.capacityBytes, what: `create volume ${id}` };
  await build(pool, plan, fill, log);
  pool.volumes.put(spec);
}
