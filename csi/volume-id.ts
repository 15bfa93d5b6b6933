import { createHash } from 'node:crypto';
import { type DiskSerial, parseDiskSerial, parseVolumeId, type VolumeId } from '../proto/ids.ts';

/**
 * `<pool>.<node key>.<name>`. It follows from the `name` of CreateVolume alone, and so is the look-up that makes
 * CreateVolume idempotent; and it says which driver owns the data. At most 31 + 12 + 63 characters and two dots.
 */
export interface VolumeIdParts {
  readonly pool: string;
  readonly nodeKey: string;
  readonly name: string;
}

export const POOL_NAME = /^[a-z0-9][a-z0-9-]{0,30}$/;
export const POOL_NAME_RULE = '1 to 31 lower-case letters, digits and "-", beginning with a letter or digit';
const NODE_KEY = /^[0-9a-f]{12}$/;
const VERBATIM_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** `_` is not in the alphabet of verbatim names, so that no name can pose as the hash of another. */
const HASHED_NAME = /^x_[0-9a-f]{40}$/;

export function toVolumeId(pool: string, nodeKey: string, requestName: string): VolumeId {
  const name = VERBATIM_NAME.test(requestName) ? requestName : `x_${sha256(requestName).slice(0, 40)}`;
  return parseVolumeId(`${pool}.${nodeKey}.${name}`);
}

/** Undefined for an id that no berth-csi can have made. */
export function splitVolumeId(volumeId: string): VolumeIdParts | undefined {
  const [pool, nodeKey, name, ...rest] = volumeId.split('.');
  if (pool === undefined || nodeKey === undefined || name === undefined || rest.length > 0) return undefined;
  if (!POOL_NAME.test(pool) || !NODE_KEY.test(nodeKey)) return undefined;
  return VERBATIM_NAME.test(name) || HASHED_NAME.test(name) ? { pool, nodeKey, name } : undefined;
}

/** Short and stable: a node keeps its volumes for as long as it keeps its id. */
export function toNodeKey(nodeId: string): string {
  return sha256(nodeId).slice(0, 12);
}

/** By which the guest finds the disk. 80 bits of a hash: the id does not fit the 20 bytes of a virtio-blk serial. */
export function toDiskSerial(volumeId: VolumeId): DiskSerial {
  return parseDiskSerial(sha256(volumeId).slice(0, 20));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
