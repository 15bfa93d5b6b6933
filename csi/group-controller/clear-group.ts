import { Fault } from '../../proto/fault.ts';
import type { Log } from '../../runtime/system/log.ts';
import type { GroupContext } from './context.ts';

/** Removes what there is of an unfinished group snapshot. May be repeated after any failure. */
export async function clearGroup(groupId: string, { unfinished, snapshots }: GroupContext, log: Log): Promise<void> {
  for (const snapshotId of unfinished.membersOf(groupId)) {
    const location = snapshots.locate(snapshotId);
    if (location.kind === 'here') await location.pool.removeSnapshot(location.snapshotId, log);
    else if (location.kind === 'elsewhere')
      throw new Fault('precondition', location.reason, { fields: { snapshotId } });
  }
  await unfinished.end(groupId);
}

/** At the start: finishes what a killed server has left. What cannot be cleared now stays out of sight. */
export async function clearUnfinishedGroups(context: GroupContext, log: Log): Promise<void> {
  for (const groupId of context.unfinished.ids()) {
    try {
      await clearGroup(groupId, context, log);
      log.warn('removed what an interrupted verb left of a group snapshot', { groupId });
    } catch (error) {
      log.error('an unfinished group snapshot could not be removed', { groupId, error });
    }
  }
}
