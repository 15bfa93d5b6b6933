import type {
  CapacityRangeMessage,
  TopologyMessage,
  VolumeCapabilityMessage,
  VolumeConditionMessage,
} from '../messages.ts';

/** Messages of the Node service, as ../messages.ts has those of the others. */
export interface NodeStageVolumeRequest {
  readonly volume_id: string;
  readonly staging_target_path: string;
  readonly volume_capability: VolumeCapabilityMessage | null;
}

export interface NodeUnstageVolumeRequest {
  readonly volume_id: string;
  readonly staging_target_path: string;
}

export interface NodePublishVolumeRequest {
  readonly volume_id: string;
  readonly staging_target_path: string;
  readonly target_path: string;
  readonly volume_capability: VolumeCapabilityMessage | null;
  readonly readonly: boolean;
  readonly volume_context: Readonly<Record<string, string>>;
}

export interface NodeUnpublishVolumeRequest {
  readonly volume_id: string;
  readonly target_path: string;
}

export interface NodeGetVolumeStatsRequest {
  readonly volume_id: string;
  readonly volume_path: string;
}
export interface VolumeUsageMessage {
  readonly unit: 'BYTES' | 'INODES';
  readonly total: string;
  readonly available?: string;
  readonly used?: string;
}
export interface NodeGetVolumeStatsResponse {
  readonly usage: readonly VolumeUsageMessage[];
  readonly volume_condition: VolumeConditionMessage;
}

export interface NodeExpandVolumeRequest {
  readonly volume_id: string;
  readonly volume_path: string;
  readonly capacity_range: CapacityRangeMessage | null;
  readonly volume_capability: VolumeCapabilityMessage | null;
}
export interface NodeExpandVolumeResponse {
  readonly capacity_bytes: string;
}

export type NodeCapability =
  | 'STAGE_UNSTAGE_VOLUME'
  | 'GET_VOLUME_STATS'
  | 'EXPAND_VOLUME'
  | 'VOLUME_CONDITION'
  | 'SINGLE_NODE_MULTI_WRITER'
  | 'VOLUME_MOUNT_GROUP';
export interface NodeGetCapabilitiesResponse {
  readonly capabilities: readonly { readonly rpc: { readonly type: NodeCapability } }[];
}

export interface NodeGetInfoResponse {
  readonly node_id: string;
  readonly max_volumes_per_node: string;
  readonly accessible_topology: TopologyMessage;
}
