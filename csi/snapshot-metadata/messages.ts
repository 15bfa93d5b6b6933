export interface GetMetadataAllocatedRequest {
  readonly snapshot_id: string;
  readonly starting_offset: string;
  readonly max_results: number;
}

export interface GetMetadataDeltaRequest {
  readonly base_snapshot_id: string;
  readonly target_snapshot_id: string;
  readonly starting_offset: string;
  readonly max_results: number;
}

/** Of either verb. */
export interface MetadataResponse {
  readonly block_metadata_type: 'VARIABLE_LENGTH';
  readonly volume_capacity_bytes: string;
  readonly block_metadata: readonly { readonly byte_offset: string; readonly size_bytes: string }[];
}
