/** Segment key of the topology that this driver reports: a volume is accessible on the node that has its pool. */
export const TOPOLOGY_KEY = 'csi.berth.dev/node';

export interface Topology {
  readonly segments: Readonly<Record<string, string>>;
}

export interface TopologyRequirement {
  readonly requisite: readonly Topology[];
  readonly preferred: readonly Topology[];
}

export const nodeTopology = (nodeId: string): Topology => ({ segments: { [TOPOLOGY_KEY]: nodeId } });

/** Whether the node is in the segment: segments of other drivers' keys are none that it is in (CSI 1.12, Topology). */
export function isOnNode({ segments }: Topology, nodeId: string): boolean {
  return Object.entries(segments).every(([key, value]) => key === TOPOLOGY_KEY && value === nodeId);
}

/** Preferred segments are wishes; requisite ones are met when the node is in one of them. */
export function isAccessible(requirement: TopologyRequirement | null, nodeId: string): boolean {
  const requisite = requirement?.requisite ?? [];
  return requisite.length === 0 || requisite.some((topology) => isOnNode(topology, nodeId));
}
