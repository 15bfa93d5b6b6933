import type { VolumeId } from '../../proto/ids.ts';
import type { RunPaths } from '../../proto/paths.ts';
import type { Attachments } from '../attachments.ts';
import type { EphemeralVolumes } from '../ephemeral-volumes.ts';
import type { HostCalls } from '../host-calls.ts';
import type { PodShims } from '../pod-shims.ts';
import type { VolumeConditions } from '../volume-conditions.ts';
import type { Volumes } from '../volumes.ts';
import type { Measurement } from './volume-stats.ts';

/** What the verbs of the Node service work on. */
export interface NodeContext {
  readonly nodeId: string;
  readonly run: RunPaths;
  readonly host: HostCalls;
  readonly volumes: Volumes;
  readonly ephemeral: EphemeralVolumes;
  readonly attachments: Attachments;
  readonly conditions: VolumeConditions;
  readonly shims: PodShims;
  /** What guests said last of published volumes. */
  readonly measurements: Map<VolumeId, Measurement>;
  /** 0: no limit. */
  readonly maxVolumesPerNode: number;
}
