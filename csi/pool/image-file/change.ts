import type { VolumeId } from '../../../proto/ids.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import { recordFile } from '../../../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../../../runtime/system/temporary-files.ts';
import { syncFile } from './build.ts';
import { shapeOf } from './create.ts';
import { extendImage } from './image.ts';
import { type PoolState, requireVolume, toPoolFault } from './state.ts';

/** The image first: whoever reads the size in the record finds it on the disk. */
export async function growVolume(pool: PoolState, volumeId: VolumeId, capacityBytes: number): Promise<VolumeSpec> {
  const spec = requireVolume(pool, volumeId);
  const bytes = capacityBytes - spec.capacityBytes;
  if (bytes <= 0) return spec;
  await pool.budget.take(volumeId, bytes);
  const image = `${pool.paths.volumes}/${volumeId}/${VOLUME_FILES.image}`;
  const grown = { ...spec, capacityBytes };
  pool.growing.add(volumeId);
  try {
    await extendImage(pool.host, image, shapeOf(grown));
    await syncFile(image);
    await saveSpec(pool, grown);
  } catch (cause) {
    // The image may be larger than the record says: it is not cut, as a VM may have been started with it.
    pool.budget.giveBack(volumeId, bytes);
    throw toPoolFault(pool, cause, `grow volume ${volumeId}`, volumeId);
  } finally {
    pool.growing.delete(volumeId);
  }
  return grown;
}

export async function updateVolume(pool: PoolState, { volumeId, limits }: VolumeSpec): Promise<void> {
  const spec = requireVolume(pool, volumeId);
  try {
    await saveSpec(pool, { ...spec, limits });
  } catch (cause) {
    throw toPoolFault(pool, cause, `change volume ${volumeId}`, volumeId);
  }
}

async function saveSpec(pool: PoolState, spec: VolumeSpec): Promise<void> {
  const directory = `${pool.paths.volumes}/${spec.volumeId}`;
  await ensureNoTemporaryFiles(pool.files, directory, VOLUME_FILES.spec); // of a server that was killed
  await recordFile(pool.files, volumeSpecRecord, `${directory}/${VOLUME_FILES.spec}`, { durable: true }).save(spec);
  pool.volumes.put(spec);
}
