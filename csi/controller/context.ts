import type { Attachments } from '../attachments.ts';
import type { PodShims } from '../pod-shims.ts';
import type { VolumeConditions } from '../volume-conditions.ts';
import type { Volumes } from '../volumes.ts';
import type { Publications } from './publications.ts';

/** What the verbs of the Controller service work on. */
export interface ControllerContext {
  readonly nodeId: string;
  readonly volumes: Volumes;
  readonly attachments: Attachments;
  readonly conditions: VolumeConditions;
  readonly shims: PodShims;
  /** With --controller-publish. */
  readonly publications: Publications | undefined;
  /** Volumes that ControllerPublishVolume takes for this node; 0: no limit. */
  readonly maxVolumesPerNode: number;
}
