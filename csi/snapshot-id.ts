import { createHash } from 'node:crypto';
import { parseSnapshotId, type SnapshotId, type VolumeId } from '../proto/ids.ts';
import { splitVolumeId, toVolumeId, type VolumeIdParts } from './volume-id.ts';

/**
 * Ids of snapshots are `<pool>.<node key>.s_<name>`, of group snapshots `<node key>.g_<name>`: a group may span pools.
 * Both follow from the `name` of the request, as ids of volumes do, of which none has a `_` in second place but the
 * hashed `x_`.
 */
const SNAPSHOT = 's_';
const GROUP = 'g_';
const MEMBER = /^s_g_[0-9a-f]{40}$/;
const HASH_DIGITS = 40;

export function toSnapshotId(pool: string, nodeKey: string, requestName: string): SnapshotId {
  return parseSnapshotId(`${pool}.${nodeKey}.${SNAPSHOT}${toName(nodeKey, requestName)}`);
}

/** Of a group's snapshot of one volume; no name of CreateSnapshot comes to such an id. */
export function toMemberId(pool: string, nodeKey: string, groupId: string, volumeId: VolumeId): SnapshotId {
  const hash = createHash('sha256').update(`${groupId} ${volumeId}`).digest('hex').slice(0, HASH_DIGITS);
  return parseSnapshotId(`${pool}.${nodeKey}.${SNAPSHOT}${GROUP}${hash}`);
}

/** Undefined for an id that no berth-csi can have made. */
export function splitSnapshotId(snapshotId: string): VolumeIdParts | undefined {
  const [pool = '', nodeKey = '', name = '', ...rest] = snapshotId.split('.');
  if (rest.length > 0 || !name.startsWith(SNAPSHOT)) return undefined;
  const named = MEMBER.test(name) ? 'member' : name.slice(SNAPSHOT.length);
  return splitVolumeId(`${pool}.${nodeKey}.${named}`) && { pool, nodeKey, name };
}

export function toGroupId(nodeKey: string, requestName: string): string {
  return `${nodeKey}.${GROUP}${toName(nodeKey, requestName)}`;
}

/** Key of the node that has the group; undefined for an id that no berth-csi can have made. */
export function nodeKeyOfGroup(groupId: string): string | undefined {
  const [nodeKey = '', name = '', ...rest] = groupId.split('.');
  if (rest.length > 0 || !name.startsWith(GROUP)) return undefined;
  return splitVolumeId(`pool.${nodeKey}.${name.slice(GROUP.length)}`)?.nodeKey;
}

/** As ids of volumes have it: verbatim where its alphabet allows, else hashed. */
function toName(nodeKey: string, requestName: string): string {
  return toVolumeId('pool', nodeKey, requestName).split('.')[2] ?? '';
}
