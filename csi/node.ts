import type { NodeContext } from './node/context.ts';
import { nodeExpandVolume } from './node/expand-volume.ts';
import { nodeGetVolumeStats } from './node/get-volume-stats.ts';
import type {
  NodeCapability,
  NodeExpandVolumeRequest,
  NodeGetCapabilitiesResponse,
  NodeGetInfoResponse,
  NodeGetVolumeStatsRequest,
  NodePublishVolumeRequest,
  NodeStageVolumeRequest,
  NodeUnpublishVolumeRequest,
} from './node/messages.ts';
import { nodePublishVolume } from './node/publish-volume.ts';
import { nodeStageVolume, nodeUnstageVolume } from './node/stage-volume.ts';
import { nodeUnpublishVolume } from './node/unpublish-volume.ts';
import { nodeTopology } from './topology.ts';
import { constant, type Service } from './verb.ts';

const CAPABILITIES: readonly NodeCapability[] = [
  'STAGE_UNSTAGE_VOLUME',
  'GET_VOLUME_STATS',
  'EXPAND_VOLUME',
  'VOLUME_CONDITION',
  'SINGLE_NODE_MULTI_WRITER',
  'VOLUME_MOUNT_GROUP',
];

/** The Node service: tells the runtime which volumes a pod may attach. No data are ever mounted on the host. */
export function createNode(context: NodeContext) {
  return {
    NodeStageVolume: (request: NodeStageVolumeRequest) => nodeStageVolume(request, context),
    NodeUnstageVolume: nodeUnstageVolume,
    NodePublishVolume: (request: NodePublishVolumeRequest) => nodePublishVolume(request, context),
    NodeUnpublishVolume: (request: NodeUnpublishVolumeRequest) => nodeUnpublishVolume(request, context),
    NodeGetVolumeStats: (request: NodeGetVolumeStatsRequest) => nodeGetVolumeStats(request, context),
    NodeExpandVolume: (request: NodeExpandVolumeRequest) => nodeExpandVolume(request, context),
    NodeGetCapabilities: constant<NodeGetCapabilitiesResponse>({
      capabilities: CAPABILITIES.map((type) => ({ rpc: { type } })),
    }),
    NodeGetInfo: constant<NodeGetInfoResponse>({
      node_id: context.nodeId,
      max_volumes_per_node: String(context.maxVolumesPerNode),
      accessible_topology: nodeTopology(context.nodeId),
    }),
  } satisfies Service;
}
