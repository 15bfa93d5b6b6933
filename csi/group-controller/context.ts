import type { SnapshotContext } from '../snapshots/context.ts';
import type { UnfinishedGroups } from './unfinished-groups.ts';

/** What the verbs of the GroupController service work on. */
export interface GroupContext extends SnapshotContext {
  readonly unfinished: UnfinishedGroups;
}
