/**
 * CSI messages as @grpc/proto-loader delivers them with the options of load-proto.ts: field names of csi.proto, int64
 * as decimal text, enums by name (a number if the name is unknown), an absent message as null, everything else with
 * its proto3 default. What berth does not look at (secrets, publish_context) has no field here, so that nothing can
 * log it.
 */
type Strings = Readonly<Record<string, string>>;
export type Empty = Readonly<Record<string, never>>;

export interface VolumeCapabilityMessage {
  readonly access_type?: 'block' | 'mount';
  readonly mount?: {
    readonly fs_type: string;
    readonly mount_flags: readonly string[];
    readonly volume_mount_group: string;
  } | null;
  readonly access_mode: { readonly mode: string | number } | null;
}

export interface CapacityRangeMessage {
  readonly required_bytes: string;
  readonly limit_bytes: string;
}

export interface TopologyMessage {
  readonly segments: Strings;
}

export interface ContentSourceMessage {
  readonly type?: 'snapshot' | 'volume';
  readonly snapshot?: { readonly snapshot_id: string } | null;
  readonly volume?: { readonly volume_id: string } | null;
}

/** CSI's Volume. */
export interface VolumeMessage {
  readonly capacity_bytes: string;
  readonly volume_id: string;
  readonly volume_context: Strings;
  readonly content_source?: ContentSourceMessage;
  readonly accessible_topology: readonly TopologyMessage[];
}

export interface VolumeConditionMessage {
  readonly abnormal: boolean;
  readonly message: string;
}

export interface VolumeStatusMessage {
  readonly published_node_ids: readonly string[];
  readonly volume_condition: VolumeConditionMessage;
}

export interface CreateVolumeRequest {
  readonly name: string;
  readonly capacity_range: CapacityRangeMessage | null;
  readonly volume_capabilities: readonly VolumeCapabilityMessage[];
  readonly parameters: Strings;
  readonly volume_content_source: ContentSourceMessage | null;
  readonly accessibility_requirements: {
    readonly requisite: readonly TopologyMessage[];
    readonly preferred: readonly TopologyMessage[];
  } | null;
  readonly mutable_parameters: Strings;
}
export interface CreateVolumeResponse {
  readonly volume: VolumeMessage;
}

export interface DeleteVolumeRequest {
  readonly volume_id: string;
}

export interface ControllerPublishVolumeRequest {
  readonly volume_id: string;
  readonly node_id: string;
  readonly volume_capability: VolumeCapabilityMessage | null;
  readonly readonly: boolean;
}
export interface ControllerPublishVolumeResponse {
  readonly publish_context: Strings;
}

export interface ControllerUnpublishVolumeRequest {
  readonly volume_id: string;
  readonly node_id: string;
}

export interface ValidateVolumeCapabilitiesRequest {
  readonly volume_id: string;
  readonly volume_context: Strings;
  readonly volume_capabilities: readonly VolumeCapabilityMessage[];
  readonly parameters: Strings;
  readonly mutable_parameters: Strings;
}
export interface ValidateVolumeCapabilitiesResponse {
  readonly confirmed?: {
    readonly volume_context: Strings;
    readonly volume_capabilities: readonly VolumeCapabilityMessage[];
    readonly parameters: Strings;
    readonly mutable_parameters: Strings;
  };
  readonly message?: string;
}

export interface ListVolumesRequest {
  readonly max_entries: number;
  readonly starting_token: string;
}
export interface ListVolumesResponse {
  readonly entries: readonly { readonly volume: VolumeMessage; readonly status: VolumeStatusMessage }[];
  readonly next_token: string;
}

export interface ControllerGetVolumeRequest {
  readonly volume_id: string;
}
export interface ControllerGetVolumeResponse {
  readonly volume: VolumeMessage;
  readonly status: VolumeStatusMessage;
}

export interface GetCapacityRequest {
  readonly volume_capabilities: readonly VolumeCapabilityMessage[];
  readonly parameters: Strings;
  readonly accessible_topology: TopologyMessage | null;
}
export interface GetCapacityResponse {
  readonly available_capacity: string;
  readonly maximum_volume_size: { readonly value: string };
  readonly minimum_volume_size: { readonly value: string };
}

export interface ControllerExpandVolumeRequest {
  readonly volume_id: string;
  readonly capacity_range: CapacityRangeMessage | null;
  readonly volume_capability: VolumeCapabilityMessage | null;
}
export interface ControllerExpandVolumeResponse {
  readonly capacity_bytes: string;
  readonly node_expansion_required: boolean;
}

export interface ControllerModifyVolumeRequest {
  readonly volume_id: string;
  readonly mutable_parameters: Strings;
}

export interface GetPluginInfoResponse {
  readonly name: string;
  readonly vendor_version: string;
}
export interface GetPluginCapabilitiesResponse {
  readonly capabilities: readonly (
    | {
        readonly service: {
          readonly type:
            | 'CONTROLLER_SERVICE'
            | 'VOLUME_ACCESSIBILITY_CONSTRAINTS'
            | 'GROUP_CONTROLLER_SERVICE'
            | 'SNAPSHOT_METADATA_SERVICE';
        };
      }
    | { readonly volume_expansion: { readonly type: 'ONLINE' } }
  )[];
}
export interface ProbeResponse {
  readonly ready: { readonly value: boolean };
}

interface RpcCapability<Type> {
  readonly rpc: { readonly type: Type };
}
export type ControllerCapability =
  | 'CREATE_DELETE_VOLUME'
  | 'PUBLISH_UNPUBLISH_VOLUME'
  | 'LIST_VOLUMES'
  | 'GET_CAPACITY'
  | 'CREATE_DELETE_SNAPSHOT'
  | 'LIST_SNAPSHOTS'
  | 'CLONE_VOLUME'
  | 'PUBLISH_READONLY'
  | 'EXPAND_VOLUME'
  | 'LIST_VOLUMES_PUBLISHED_NODES'
  | 'VOLUME_CONDITION'
  | 'GET_VOLUME'
  | 'SINGLE_NODE_MULTI_WRITER'
  | 'MODIFY_VOLUME'
  | 'GET_SNAPSHOT';
export interface ControllerGetCapabilitiesResponse {
  readonly capabilities: readonly RpcCapability<ControllerCapability>[];
}
