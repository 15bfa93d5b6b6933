import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import type { SnapshotMessage, TimestampMessage } from './messages.ts';

/** The snapshot as CSI sees it: it is there as a whole or not at all, and so always ready. */
export function toSnapshotMessage(snapshot: VolumeSnapshot): SnapshotMessage {
  return {
    size_bytes: String(snapshot.sizeBytes),
    snapshot_id: snapshot.snapshotId,
    source_volume_id: snapshot.sourceVolumeId,
    creation_time: toTimestamp(snapshot.createdAtMs),
    ready_to_use: true,
    group_snapshot_id: snapshot.groupId ?? '',
  };
}

export function toTimestamp(atMs: number): TimestampMessage {
  return { seconds: String(Math.floor(atMs / 1000)), nanos: (atMs % 1000) * 1_000_000 };
}
