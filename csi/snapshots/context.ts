import type { Attachments } from '../attachments.ts';
import type { PodShims } from '../pod-shims.ts';
import type { Volumes } from '../volumes.ts';
import type { Snapshots } from './snapshots.ts';

/** What the verbs of snapshots work on. */
export interface SnapshotContext {
  readonly volumes: Volumes;
  readonly snapshots: Snapshots;
  readonly attachments: Attachments;
  readonly shims: PodShims;
}
