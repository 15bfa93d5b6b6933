import type { VolumeSpec } from '../../proto/volume-spec.ts';
import type { ContentSourceMessage, VolumeMessage, VolumeStatusMessage } from '../messages.ts';
import { nodeTopology } from '../topology.ts';
import type { FoundVolume } from '../volumes.ts';
import type { ControllerContext } from './context.ts';

type Source = NonNullable<VolumeSpec['source']>;

/** The volume as CSI sees it. */
export function toVolumeMessage({ volumeId, capacityBytes, source }: VolumeSpec, nodeId: string): VolumeMessage {
  return {
    volume_id: volumeId,
    capacity_bytes: String(capacityBytes),
    volume_context: {},
    accessible_topology: [nodeTopology(nodeId)],
    ...(source === undefined ? {} : { content_source: toContentSource(source) }),
  };
}

function toContentSource(source: Source): ContentSourceMessage {
  if (source.kind === 'snapshot') return { snapshot: { snapshot_id: source.snapshotId } };
  return { volume: { volume_id: source.volumeId } };
}

/** `problem` as VolumeConditions has it. */
export function toVolumeStatus(
  { spec }: FoundVolume,
  problem: string,
  { publications }: Pick<ControllerContext, 'publications'>,
): VolumeStatusMessage {
  return {
    published_node_ids: publications?.nodesOf(spec.volumeId) ?? [],
    volume_condition: { abnormal: problem !== '', message: problem === '' ? 'no problem is known' : problem },
  };
}
