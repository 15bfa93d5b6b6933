import { Fault } from '../../proto/fault.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import { toSnapshotMessage, toTimestamp } from '../snapshots/snapshot-message.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import * as validate from '../validate.ts';
import type { GroupSnapshotMessage } from './messages.ts';

/** The group as CSI sees it; its members were taken at one instant. */
export function toGroupSnapshotMessage(groupId: string, members: readonly VolumeSnapshot[]): GroupSnapshotMessage {
  return {
    group_snapshot_id: groupId,
    snapshots: members.map(toSnapshotMessage),
    creation_time: toTimestamp(Math.max(...members.map(({ createdAtMs }) => createdAtMs))),
    ready_to_use: true,
  };
}

/**
 * CSI 1.12, "Snapshot list mismatch": of a group that is there, the list is required, and names all of its members. Those
 * in a pool that this server was not given it does not know, and a part of a group is not the group: `precondition`.
 */
export function requireMembers(
  asked: readonly string[],
  members: readonly VolumeSnapshot[],
  groupId: string,
  snapshots: Snapshots,
): void {
  for (const snapshotId of asked) {
    const location = snapshots.locate(snapshotId);
    if (location.kind === 'elsewhere') throw new Fault('precondition', location.reason, { fields: { snapshotId } });
  }
  const ids = members.map(({ snapshotId }): string => snapshotId);
  const stranger = asked.find((snapshotId) => !ids.includes(snapshotId));
  if (stranger !== undefined) {
    throw validate.invalid('snapshot_ids', `names ${stranger}, which is no part of group snapshot ${groupId}`);
  }
  const absent = ids.find((snapshotId) => !asked.includes(snapshotId));
  if (absent === undefined) return;
  throw validate.invalid('snapshot_ids', `lacks ${absent}, which is a part of group snapshot ${groupId}`);
}
