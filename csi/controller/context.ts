import type { SnapshotContext } from '../snapshots/context.ts';
import type { VolumeConditions } from '../volume-conditions.ts';
import type { Publications } from './publications.ts';

/** What the verbs of the Controller service work on. */
export interface ControllerContext extends SnapshotContext {
  readonly nodeId: string;
  readonly conditions: VolumeConditions;
  /** With --controller-publish. */
  readonly publications: Publications | undefined;
  /** Volumes that ControllerPublishVolume takes for this node; 0: no limit. */
  readonly maxVolumesPerNode: number;
}
