import { NO_LIMITS } from '../../../proto/volume-class.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { SNAPSHOT_FILES, type VolumeSnapshot, volumeSnapshotRecord } from '../../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import type { PoolSource } from '../port.ts';
import { filesBesideSpec, formatIfForKata, shapeOf } from './create.ts';
import { writeDurably } from './new-files.ts';
import { type Place, type PoolState, snapshotPlace, volumePlace } from './state.ts';

/** A volume or snapshot that is to be made by copying. */
export interface CopyOrder {
  readonly target: Place;
  readonly source: PoolSource;
  readonly shape: { readonly sizeBytes: number; readonly isThick: boolean };
  /** Promised to it. */
  readonly bytes: number;
  readonly record: { readonly name: string; readonly text: string };
  /** What makes two orders for one id the same. */
  readonly key: string;
  /** Makes the image durable, which is whole, and writes what belongs beside it and the record. */
  finish(directory: string, filesystem: VolumeFilesystem): Promise<void>;
  /** It is there. */
  onPlaced(): void;
}

export function orderVolume(pool: PoolState, spec: VolumeSpec, source: PoolSource): CopyOrder {
  return {
    target: volumePlace(pool, spec.volumeId),
    source,
    shape: shapeOf(spec),
    bytes: spec.capacityBytes,
    record: { name: VOLUME_FILES.spec, text: volumeSpecRecord.encode(spec) },
    key: keyOf(spec),
    async finish(directory, inherited) {
      const filesystem = await formatIfForKata(`${directory}/${VOLUME_FILES.image}`, spec, inherited);
      await writeDurably(directory, [{ name: VOLUME_FILES.image }, ...filesBesideSpec(filesystem)]);
    },
    onPlaced: () => pool.volumes.put(spec),
  };
}

/** `bytes`: what the volume has allocated, which is what the copy will have. */
export function orderSnapshot(pool: PoolState, snapshot: VolumeSnapshot, bytes: number): CopyOrder {
  return {
    target: snapshotPlace(pool, snapshot.snapshotId),
    source: { kind: 'volume', volumeId: snapshot.sourceVolumeId },
    shape: { sizeBytes: snapshot.sizeBytes, isThick: false },
    bytes,
    record: { name: SNAPSHOT_FILES.record, text: volumeSnapshotRecord.encode(snapshot) },
    // Its volume may have grown since: a repeated request asks for what was begun.
    key: snapshot.sourceVolumeId,
    async finish(directory, filesystem) {
      await writeDurably(directory, [
        { name: SNAPSHOT_FILES.image },
        { name: SNAPSHOT_FILES.filesystem, text: volumeFilesystemRecord.encode(filesystem) },
      ]);
    },
    onPlaced: () => pool.snapshots.put(snapshot),
  };
}

/** What may not be otherwise in a repeated request, however the record came here. Limits are not compared by it either. */
function keyOf(spec: VolumeSpec): string {
  const text = volumeSpecRecord.encode({ ...spec, createdAtMs: 0, limits: NO_LIMITS });
  return volumeSpecRecord.encode(volumeSpecRecord.decode(text, spec.volumeId));
}
