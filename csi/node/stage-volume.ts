import type { Empty } from '../messages.ts';
import { parseCapability, parsePath, parseText } from '../validate.ts';
import type { Call } from '../verb.ts';
import type { NodeContext } from './context.ts';
import type { NodeStageVolumeRequest, NodeUnstageVolumeRequest } from './messages.ts';
import { requireFit } from './publication.ts';

/** Staging has no effect: the disk goes to the VM, and only there it is mounted. It is where a wrong request shows early. */
export function nodeStageVolume(request: NodeStageVolumeRequest, { volumes }: NodeContext): Call<Empty> {
  const volumeId = parseText(request.volume_id, 'volume_id');
  const stagingPath = parsePath(request.staging_target_path, 'staging_target_path');
  const capability = parseCapability(request.volume_capability, 'volume_capability');
  return {
    locks: [volumeId],
    fields: { volumeId, stagingPath },
    async run() {
      requireFit(volumes.require(volumeId), capability);
      return {};
    },
  };
}

export function nodeUnstageVolume(request: NodeUnstageVolumeRequest): Call<Empty> {
  const volumeId = parseText(request.volume_id, 'volume_id');
  const stagingPath = parsePath(request.staging_target_path, 'staging_target_path');
  return { locks: [volumeId], fields: { volumeId, stagingPath }, run: async () => ({}) };
}
