import { Fault } from '../../proto/fault.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import type { GroupContext } from './context.ts';
import { requireMembers, toGroupSnapshotMessage } from './group-snapshot-message.ts';
import type { GetVolumeGroupSnapshotRequest, GroupSnapshotResponse } from './messages.ts';

/** CSI 1.12, GetVolumeGroupSnapshot. */
export function getGroupSnapshot(
  request: GetVolumeGroupSnapshotRequest,
  { snapshots }: GroupContext,
): Call<GroupSnapshotResponse> {
  const groupId = validate.parseText(request.group_snapshot_id, 'group_snapshot_id');
  return {
    fields: { groupId },
    async run() {
      const members = snapshots.ofGroup(groupId);
      if (members.length === 0) {
        throw new Fault('not-found', `there is no group snapshot ${groupId}`, { fields: { groupId } });
      }
      requireMembers(request.snapshot_ids, members, groupId, snapshots);
      return { group_snapshot: toGroupSnapshotMessage(groupId, members) };
    },
  };
}
