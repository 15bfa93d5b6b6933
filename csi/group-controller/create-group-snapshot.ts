import { Fault } from '../../proto/fault.ts';
import type { SnapshotId } from '../../proto/ids.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import { withUndo } from '../../runtime/system/undo.ts';
import type { Pool } from '../pool/port.ts';
import { toGroupId, toMemberId } from '../snapshot-id.ts';
import { describeForeignUse } from '../snapshots/foreign-use.ts';
import { checkGroupParameters } from '../snapshots/snapshot-parameters.ts';
import { takeSnapshots, type WantedSnapshot } from '../snapshots/take-snapshots.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import type { FoundVolume, Volumes } from '../volumes.ts';
import { clearGroup } from './clear-group.ts';
import type { GroupContext } from './context.ts';
import { toGroupSnapshotMessage } from './group-snapshot-message.ts';
import type { CreateVolumeGroupSnapshotRequest, GroupSnapshotResponse } from './messages.ts';

/**
 * CSI 1.12, CreateVolumeGroupSnapshot: all volumes at one instant, or nothing. The name is the key: the same request
 * again finds what the first one made.
 */
export function createGroupSnapshot(
  request: CreateVolumeGroupSnapshotRequest,
  context: GroupContext,
): Call<GroupSnapshotResponse> {
  const { volumes, snapshots, shims, unfinished } = context;
  const name = validate.parseName(request.name, 'name');
  const volumeIds = parseSources(request.source_volume_ids, 'source_volume_ids');
  checkGroupParameters(request.parameters, 'parameters');
  const groupId = toGroupId(volumes.nodeKey, name);

  return {
    locks: [groupId, ...volumeIds],
    fields: { groupId, name, volumeIds },
    async run(call) {
      if (unfinished.has(groupId)) await clearGroup(groupId, context, call.log);
      const existing = snapshots.ofGroup(groupId);
      if (existing.length > 0) {
        requireSameSources(existing, volumeIds, name, groupId);
        return { group_snapshot: toGroupSnapshotMessage(groupId, existing) };
      }
      const sources = volumeIds.map((volumeId) => findSource(volumeId, volumes));
      const wanted = await toWanted(sources, name, groupId, context);
      for (const { pool, snapshot } of wanted) requireFree(pool, snapshot.snapshotId);
      return withUndo(call.log, async (undo) => {
        undo.defer('group snapshot', () => clearGroup(groupId, context, call.log));
        const memberIds = wanted.map(({ snapshot }) => snapshot.snapshotId);
        await unfinished.begin(groupId, memberIds);
        const members = await takeSnapshots(wanted, shims, call);
        await unfinished.end(groupId);
        call.log.info('group snapshot taken', { members: members.length });
        return { group_snapshot: toGroupSnapshotMessage(groupId, snapshots.ofGroup(groupId)) };
      });
    },
  };
}

function parseSources(volumeIds: readonly string[], field: string): readonly string[] {
  validate.requireSome(volumeIds, field);
  for (const [index, volumeId] of volumeIds.entries()) {
    validate.parseText(volumeId, `${field}[${index}]`);
    if (volumeIds.indexOf(volumeId) !== index) throw validate.invalid(`${field}[${index}]`, `is ${volumeId} once more`);
  }
  return volumeIds;
}

/** Volumes of other nodes, and of pools that can only copy, are there, but cannot be a part (CSI 1.12: 9). */
function findSource(volumeId: string, volumes: Volumes): FoundVolume {
  const location = volumes.locate(volumeId);
  if (location.kind === 'elsewhere') {
    const message = `${location.reason}; a group snapshot is of volumes of one node`;
    throw new Fault('precondition', message, { fields: { volumeId } });
  }
  const found = volumes.require(volumeId);
  const { name, features } = found.pool;
  if (features.snapshots === 'instant') return found;
  const message = `volume ${volumeId} is in pool ${name}, which cannot take instant snapshots (${features.reason})`;
  throw new Fault('precondition', message, { fields: { volumeId, pool: name } });
}

function toWanted(
  sources: readonly FoundVolume[],
  groupName: string,
  groupId: string,
  { volumes: { nodeKey }, attachments }: GroupContext,
): Promise<WantedSnapshot[]> {
  const createdAtMs = Date.now();
  return Promise.all(
    sources.map(async ({ pool, spec }) => ({
      pool,
      foreignUse: await describeForeignUse({ pool, spec }, attachments),
      snapshot: {
        snapshotId: toMemberId(pool.name, nodeKey, groupId, spec.volumeId),
        name: `${groupName} of ${spec.volumeId}`,
        sourceVolumeId: spec.volumeId,
        sizeBytes: spec.capacityBytes,
        fsType: spec.fsType,
        createdAtMs,
        groupId,
      },
    })),
  );
}

/** One whose record cannot be read, for which this throws, is no part that a failure may take back. */
function requireFree(pool: Pool, snapshotId: SnapshotId): void {
  if (pool.findSnapshot(snapshotId) === undefined) return;
  throw new Fault('exists', `snapshot ${snapshotId} is there, but is no part of a group`, { fields: { snapshotId } });
}

function requireSameSources(
  members: readonly VolumeSnapshot[],
  volumeIds: readonly string[],
  name: string,
  groupId: string,
): void {
  const sources = members.map(({ sourceVolumeId }): string => sourceVolumeId).sort();
  if (sources.join() === [...volumeIds].sort().join()) return;
  const message = `group snapshot ${JSON.stringify(name)} exists as ${groupId}, but of ${sources.join(', ')}`;
  throw new Fault('exists', message, { fields: { groupId } });
}
