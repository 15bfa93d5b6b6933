import type { SnapshotMessage, TimestampMessage } from '../snapshots/messages.ts';

/** CSI's VolumeGroupSnapshot. */
export interface GroupSnapshotMessage {
  readonly group_snapshot_id: string;
  readonly snapshots: readonly SnapshotMessage[];
  readonly creation_time: TimestampMessage;
  readonly ready_to_use: boolean;
}

export interface GroupSnapshotResponse {
  readonly group_snapshot: GroupSnapshotMessage;
}

export interface CreateVolumeGroupSnapshotRequest {
  readonly name: string;
  readonly source_volume_ids: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
}

export interface DeleteVolumeGroupSnapshotRequest {
  readonly group_snapshot_id: string;
  readonly snapshot_ids: readonly string[];
}

export interface GetVolumeGroupSnapshotRequest {
  readonly group_snapshot_id: string;
  readonly snapshot_ids: readonly string[];
}

export interface GroupControllerGetCapabilitiesResponse {
  readonly capabilities: readonly { readonly rpc: { readonly type: 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT' } }[];
}
