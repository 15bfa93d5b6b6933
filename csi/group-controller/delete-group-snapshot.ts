import { Fault } from '../../proto/fault.ts';
import type { SnapshotId } from '../../proto/ids.ts';
import type { Log } from '../../runtime/system/log.ts';
import { isOutOfSpace } from '../../runtime/system/node/errno.ts';
import type { Empty } from '../messages.ts';
import { nodeKeyOfGroup } from '../snapshot-id.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import { clearGroup } from './clear-group.ts';
import type { GroupContext } from './context.ts';
import { requireMembers } from './group-snapshot-message.ts';
import type { DeleteVolumeGroupSnapshotRequest } from './messages.ts';
import type { UnfinishedGroups } from './unfinished-groups.ts';

/** CSI 1.12, DeleteVolumeGroupSnapshot, with all of its members. A group that is not there is OK. */
export function deleteGroupSnapshot(request: DeleteVolumeGroupSnapshotRequest, context: GroupContext): Call<Empty> {
  const { volumes, snapshots, unfinished } = context;
  const groupId = validate.parseText(request.group_snapshot_id, 'group_snapshot_id');
  const members = snapshots.ofGroup(groupId);
  const memberIds = members.map(({ snapshotId }) => snapshotId);
  return {
    locks: [groupId, ...memberIds],
    fields: { groupId },
    async run({ log }) {
      const nodeKey = nodeKeyOfGroup(groupId);
      if (nodeKey !== undefined && nodeKey !== volumes.nodeKey) {
        // Not OK: whoever is told so believes that the data are gone.
        const message = `group snapshot ${groupId} lives on the node of key ${nodeKey}, but this is ${volumes.nodeKey}`;
        throw new Fault('precondition', message, { fields: { groupId } });
      }
      const asked = request.snapshot_ids.filter((snapshotId) => mayBeThere(snapshotId, snapshots));
      requireMembers(asked, members, groupId, snapshots);
      if (members.length > 0) await begin(groupId, memberIds, unfinished, log);
      if (unfinished.has(groupId)) {
        await clearGroup(groupId, context, log);
        log.info('group snapshot deleted', { members: members.length });
      }
      return {};
    },
  };
}

/**
 * What is gone already, as a part that a killed server has deleted, is no mismatch; but nothing may be left, here or in a
 * pool that this server was not given.
 */
function mayBeThere(snapshotId: string, snapshots: Snapshots): boolean {
  return snapshots.find(snapshotId) !== undefined || snapshots.locate(snapshotId).kind === 'elsewhere';
}

/** A full disk must not keep anybody from deleting: then it is done without a record, and a kill leaves a part to be seen. */
async function begin(
  groupId: string,
  memberIds: readonly SnapshotId[],
  unfinished: UnfinishedGroups,
  log: Log,
): Promise<void> {
  try {
    await unfinished.begin(groupId, memberIds);
  } catch (error) {
    if (!isOutOfSpace(error instanceof Fault ? error.cause : error)) throw error;
    log.warn('no space to record that the group snapshot is being deleted', { error });
  }
}
