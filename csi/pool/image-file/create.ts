import { mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import { isOutOfSpace } from '../../../runtime/system/node/errno.ts';
import { syncDirectory } from '../../../runtime/system/node/system.ts';
import { type ImageFilePaths, uniqueName } from './paths.ts';

/**
 * Builds the volume in `incoming`, syncs it, and renames it into place: at any instruction there is the whole volume or
 * none. A crash leaves at most something in `incoming`, which the next start sweeps.
 */
export async function createVolume(paths: ImageFilePaths, spec: VolumeSpec): Promise<void> {
  await requireRoom(paths.root, spec);
  const building = `${paths.incoming}/${uniqueName(spec.volumeId)}`;
  try {
    await build(building, spec);
    await rename(building, `${paths.volumes}/${spec.volumeId}`);
    failpoint('volume.placed');
    await syncDirectory(paths.volumes);
    await syncDirectory(paths.incoming);
  } catch (cause) {
    await rm(building, { recursive: true, force: true });
    const fields = { volumeId: spec.volumeId };
    if (isOutOfSpace(cause)) {
      throw new Fault('exhausted', `the pool in ${paths.root} has no space for volume ${spec.volumeId}`, {
        fields,
        cause,
      });
    }
    throw new Fault('io', `could not create volume ${spec.volumeId} in ${paths.root}`, { fields, cause });
  }
}

/** Thin, so free space may be promised more than once; but no volume is larger than its file system can ever hold. */
async function requireRoom(root: string, { volumeId, capacityBytes }: VolumeSpec): Promise<void> {
  const { blocks, bsize } = await statfs(root);
  const totalBytes = blocks * bsize;
  if (capacityBytes <= totalBytes) return;
  throw new Fault(
    'exhausted',
    `volume ${volumeId} of ${capacityBytes} bytes cannot fit the file system of ${root}, which has ${totalBytes} in all`,
    { fields: { volumeId, capacityBytes, totalBytes } },
  );
}

async function build(directory: string, spec: VolumeSpec): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  failpoint('volume.begun');
  await writeSynced(`${directory}/${VOLUME_FILES.spec}`, volumeSpecRecord.encode(spec));
  await writeSynced(`${directory}/${VOLUME_FILES.filesystem}`, volumeFilesystemRecord.encode({ state: 'never' }));
  await writeSynced(`${directory}/${VOLUME_FILES.lease}`, '');
  await writeSynced(`${directory}/${VOLUME_FILES.image}`, '', spec.capacityBytes);
  await syncDirectory(directory);
}

async function writeSynced(path: string, text: string, sizeBytes?: number): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    if (sizeBytes !== undefined) await handle.truncate(sizeBytes); // sparse
    await handle.sync();
  } finally {
    await handle.close();
  }
  failpoint('volume.file-written');
}
