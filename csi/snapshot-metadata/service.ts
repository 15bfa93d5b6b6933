import type { Snapshots } from '../snapshots/snapshots.ts';
import * as validate from '../validate.ts';
import type { Service, StreamCall } from '../verb.ts';
import type { GetMetadataAllocatedRequest, GetMetadataDeltaRequest, MetadataResponse } from './messages.ts';
import { metadataPages, parseRange } from './metadata-pages.ts';

/** The SnapshotMetadata service (alpha): which parts of a disk a backup has to read. */
export function createSnapshotMetadata(snapshots: Snapshots) {
  return {
    GetMetadataAllocated: (request: GetMetadataAllocatedRequest): StreamCall<MetadataResponse> =>
      getMetadataAllocated(request, snapshots),
    GetMetadataDelta: (request: GetMetadataDeltaRequest): StreamCall<MetadataResponse> =>
      getMetadataDelta(request, snapshots),
  } satisfies Service;
}

function getMetadataAllocated(
  request: GetMetadataAllocatedRequest,
  snapshots: Snapshots,
): StreamCall<MetadataResponse> {
  const snapshotId = validate.parseText(request.snapshot_id, 'snapshot_id');
  return {
    shares: [snapshotId],
    fields: { snapshotId },
    async *stream() {
      const { pool, snapshot } = snapshots.require(snapshotId);
      const range = parseRange(request, snapshot.sizeBytes);
      yield* metadataPages(await pool.extents(snapshot.snapshotId), range, snapshot.sizeBytes);
    },
  };
}

function getMetadataDelta(request: GetMetadataDeltaRequest, snapshots: Snapshots): StreamCall<MetadataResponse> {
  const baseId = validate.parseText(request.base_snapshot_id, 'base_snapshot_id');
  const targetId = validate.parseText(request.target_snapshot_id, 'target_snapshot_id');
  return {
    shares: [baseId, targetId],
    fields: { baseId, targetId },
    async *stream() {
      const { snapshot: base } = snapshots.require(baseId);
      const { pool, snapshot: target } = snapshots.require(targetId);
      if (base.sourceVolumeId !== target.sourceVolumeId) {
        const problem = `is of volume ${base.sourceVolumeId}, but the target of ${target.sourceVolumeId}`;
        throw validate.invalid('base_snapshot_id', problem);
      }
      const range = parseRange(request, target.sizeBytes);
      const extents = await pool.extents(target.snapshotId, base.snapshotId);
      yield* metadataPages(extents, range, target.sizeBytes);
    },
  };
}
