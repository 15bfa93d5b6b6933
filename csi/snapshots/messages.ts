/** Messages of snapshots, as messages.ts has those of volumes. */
type Strings = Readonly<Record<string, string>>;

export interface TimestampMessage {
  readonly seconds: string;
  readonly nanos: number;
}

/** CSI's Snapshot. */
export interface SnapshotMessage {
  readonly size_bytes: string;
  readonly snapshot_id: string;
  readonly source_volume_id: string;
  readonly creation_time: TimestampMessage;
  readonly ready_to_use: boolean;
  readonly group_snapshot_id: string;
}

export interface CreateSnapshotRequest {
  readonly source_volume_id: string;
  readonly name: string;
  readonly parameters: Strings;
}
export interface CreateSnapshotResponse {
  readonly snapshot: SnapshotMessage;
}

export interface DeleteSnapshotRequest {
  readonly snapshot_id: string;
}

export interface ListSnapshotsRequest {
  readonly max_entries: number;
  readonly starting_token: string;
  readonly source_volume_id: string;
  readonly snapshot_id: string;
}
export interface ListSnapshotsResponse {
  readonly entries: readonly { readonly snapshot: SnapshotMessage }[];
  readonly next_token: string;
}

export interface GetSnapshotRequest {
  readonly snapshot_id: string;
}
export interface GetSnapshotResponse {
  readonly snapshot: SnapshotMessage;
}
