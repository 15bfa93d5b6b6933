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

export interface CreateVolumeRequest {
  readonly name: string;
  readonly capacity_range: CapacityRangeMessage | null;
  readonly volume_capabilities: readonly VolumeCapabilityMessage[];
  readonly parameters: Strings;
  readonly volume_content_source: object | null;
  readonly accessibility_requirements: object | null;
  readonly mutable_parameters: Strings;
}
export interface CreateVolumeResponse {
  readonly volume: {
    readonly capacity_bytes: string;
    readonly volume_id: string;
    readonly volume_context: Strings;
  };
}

export interface DeleteVolumeRequest {
  readonly volume_id: string;
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
  };
  readonly message?: string;
}

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
  readonly volume_context: Strings;
}

export interface NodeUnpublishVolumeRequest {
  readonly volume_id: string;
  readonly target_path: string;
}

export interface GetPluginInfoResponse {
  readonly name: string;
  readonly vendor_version: string;
}
export interface GetPluginCapabilitiesResponse {
  readonly capabilities: readonly { readonly service: { readonly type: 'CONTROLLER_SERVICE' } }[];
}
export interface ProbeResponse {
  readonly ready: { readonly value: boolean };
}

interface RpcCapability<Type> {
  readonly rpc: { readonly type: Type };
}
export interface ControllerGetCapabilitiesResponse {
  readonly capabilities: readonly RpcCapability<'CREATE_DELETE_VOLUME' | 'SINGLE_NODE_MULTI_WRITER'>[];
}
export interface NodeGetCapabilitiesResponse {
  readonly capabilities: readonly RpcCapability<'STAGE_UNSTAGE_VOLUME' | 'SINGLE_NODE_MULTI_WRITER'>[];
}
export interface NodeGetInfoResponse {
  readonly node_id: string;
}
