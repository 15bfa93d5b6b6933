import { volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { SNAPSHOT_FILES, type VolumeSnapshot, volumeSnapshotRecord } from '../../../proto/volume-snapshot.ts';
import type { Log } from '../../../runtime/system/log.ts';
import type { SnapshotOptions } from '../port.ts';
import { build } from './build.ts';
import { sourceFiles } from './create.ts';
import { cloneImage, imageFacts } from './image.ts';
import { copyWithFilesystem } from './inherit.ts';
import { writeDurably } from './new-files.ts';
import { type PoolState, snapshotPlace } from './state.ts';

/** An instant snapshot: shares the volume's content. What the guest waits for comes first and alone. */
export async function createInstantSnapshot(
  pool: PoolState,
  wanted: VolumeSnapshot,
  { settle }: SnapshotOptions,
  log: Log,
): Promise<VolumeSnapshot> {
  const { snapshotId, sourceVolumeId } = wanted;
  const from = sourceFiles(pool, { kind: 'volume', volumeId: sourceVolumeId });
  const { allocatedBytes } = await imageFacts(from.image);
  const fill = async (building: string): Promise<VolumeSnapshot> => {
    const image = `${building}/${SNAPSHOT_FILES.image}`;
    const filesystem = await copyWithFilesystem(pool.files, from.filesystem, () =>
      cloneImage(pool.host, from.image, image),
    );
    const snapshot = { ...wanted, ...(await settle?.()) };
    await writeDurably(building, [
      { name: SNAPSHOT_FILES.image },
      { name: SNAPSHOT_FILES.record, text: volumeSnapshotRecord.encode(snapshot) },
      { name: SNAPSHOT_FILES.filesystem, text: volumeFilesystemRecord.encode(filesystem) },
    ]);
    return snapshot;
  };
  const plan = { target: snapshotPlace(pool, snapshotId), bytes: allocatedBytes, what: `take snapshot ${snapshotId}` };
  const snapshot = await build(pool, plan, fill, log);
  pool.snapshots.put(snapshot);
  return snapshot;
}
