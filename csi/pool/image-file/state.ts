import { Fault } from '../../../proto/fault.ts';
import type { SnapshotId, VolumeId } from '../../../proto/ids.ts';
import type { VolumeSnapshot } from '../../../proto/volume-snapshot.ts';
import type { VolumeSpec } from '../../../proto/volume-spec.ts';
import type { Files } from '../../../runtime/system/port.ts';
import type { HostCalls } from '../../host-calls.ts';
import type { OrderedIndex } from '../ordered-index.ts';
import type { PoolFeatures } from '../port.ts';
import type { Budget } from './budget.ts';
import type { DirectorySync } from './directory-sync.ts';
import type { Leases } from './leases.ts';
import type { ImageFilePaths } from './paths.ts';
import { isForSpace, type Reserve } from './reserve.ts';

/** What the verbs of an open image-file pool share. */
export interface PoolState {
  readonly name: string;
  readonly paths: ImageFilePaths;
  readonly host: HostCalls;
  readonly features: PoolFeatures;
  /** Draw on the reserve. */
  readonly files: Files;
  readonly reserve: Reserve;
  readonly budget: Budget;
  readonly leases: Leases;
  readonly volumes: OrderedIndex<VolumeId, VolumeSpec>;
  readonly snapshots: OrderedIndex<SnapshotId, VolumeSnapshot>;
  readonly unreadable: Map<string, Fault>;
  /** Whose image may be larger than their record says for a moment. */
  readonly growing: Set<VolumeId>;
  readonly volumesSync: DirectorySync;
  readonly snapshotsSync: DirectorySync;
}

/** Where a volume or snapshot is to be. */
export interface Place {
  readonly id: string;
  readonly parent: string;
  readonly sync: DirectorySync;
}

export function volumePlace({ paths, volumesSync }: PoolState, id: VolumeId): Place {
  return { id, parent: paths.volumes, sync: volumesSync };
}

export function snapshotPlace({ paths, snapshotsSync }: PoolState, id: SnapshotId): Place {
  return { id, parent: paths.snapshots, sync: snapshotsSync };
}

export function requireVolume(pool: PoolState, volumeId: VolumeId): VolumeSpec {
  return requireFound(pool, volumeId, pool.volumes.get(volumeId), 'volume');
}

export function requireSnapshot(pool: PoolState, snapshotId: SnapshotId): VolumeSnapshot {
  return requireFound(pool, snapshotId, pool.snapshots.get(snapshotId), 'snapshot');
}

/** An id that has been given away, also to something that cannot be read, is not given away again. */
export function requireFreeId(pool: PoolState, id: VolumeId | SnapshotId): void {
  const isTaken = pool.volumes.has(id as VolumeId) || pool.snapshots.has(id as SnapshotId) || pool.unreadable.has(id);
  if (isTaken) throw new Fault('exists', `pool ${pool.name} has ${id} already`, { fields: { id } });
}

/** What went wrong with a volume or snapshot, in the terms of the port. `what` follows "could not". */
export function toPoolFault(pool: PoolState, cause: unknown, what: string, id: string): Fault {
  const fields = { pool: pool.name, id };
  if (cause instanceof Fault && cause.code !== 'io') return cause;
  if (isForSpace(cause)) {
    return new Fault('exhausted', `pool ${pool.name} in ${pool.paths.root} has no space to ${what}`, { fields, cause });
  }
  if (cause instanceof Fault) return cause;
  return new Fault('io', `could not ${what} in pool ${pool.name}`, { fields, cause });
}

function requireFound<T>(pool: PoolState, id: string, found: T | undefined, noun: string): T {
  const unreadable = pool.unreadable.get(id);
  if (unreadable !== undefined) throw unreadable;
  if (found !== undefined) return found;
  throw new Fault('not-found', `pool ${pool.name} has no ${noun} ${id}`, { fields: { pool: pool.name, id } });
}
