import { Fault } from '../../proto/fault.ts';
import { parseSnapshotId, type SnapshotId } from '../../proto/ids.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import type { Pool } from '../pool/port.ts';
import { splitSnapshotId, toSnapshotId } from '../snapshot-id.ts';
import type { Volumes } from '../volumes.ts';

export interface FoundSnapshot {
  readonly pool: Pool;
  readonly snapshot: VolumeSnapshot;
}

/** Where a snapshot id points to. Only `here` says that a pool of this server could have it. */
export type SnapshotLocation =
  | { readonly kind: 'here'; readonly pool: Pool; readonly snapshotId: SnapshotId }
  | { readonly kind: 'elsewhere'; readonly reason: string }
  | { readonly kind: 'nowhere' };

/** Which group snapshots are half made or half deleted, so that their members are nobody's to see. */
export interface UnfinishedGroups {
  has(groupId: string): boolean;
}

/** The snapshots of this node, in all of its pools. */
export class Snapshots {
  private readonly volumes: Volumes;
  private readonly unfinished: UnfinishedGroups;

  constructor(volumes: Volumes, unfinished: UnfinishedGroups) {
    this.volumes = volumes;
    this.unfinished = unfinished;
  }

  locate(snapshotId: string): SnapshotLocation {
    const parts = splitSnapshotId(snapshotId);
    if (parts === undefined) return { kind: 'nowhere' };
    const { nodeKey, pools } = this.volumes;
    if (parts.nodeKey !== nodeKey) {
      const reason = `snapshot ${snapshotId} lives on the node of key ${parts.nodeKey}, but this is ${nodeKey}`;
      return { kind: 'elsewhere', reason };
    }
    const pool = pools.get(parts.pool);
    if (pool === undefined) {
      const reason = `snapshot ${snapshotId} lives in pool ${parts.pool}, which this server was not given (--pool)`;
      return { kind: 'elsewhere', reason };
    }
    return { kind: 'here', pool, snapshotId: parseSnapshotId(snapshotId) };
  }

  find(snapshotId: string): FoundSnapshot | undefined {
    const location = this.locate(snapshotId);
    const snapshot = location.kind === 'here' ? location.pool.findSnapshot(location.snapshotId) : undefined;
    if (location.kind !== 'here' || snapshot === undefined || !this.isVisible(snapshot)) return undefined;
    return { pool: location.pool, snapshot };
  }

  /** Fault `not-found` says why. */
  require(snapshotId: string): FoundSnapshot {
    const found = this.find(snapshotId);
    if (found !== undefined) return found;
    const location = this.locate(snapshotId);
    const reason = location.kind === 'elsewhere' ? location.reason : `there is no snapshot ${snapshotId}`;
    throw new Fault('not-found', reason, { fields: { snapshotId } });
  }

  /** By the name of CreateSnapshot, whatever pool it is in. */
  findByName(requestName: string): VolumeSnapshot | undefined {
    for (const pool of this.volumes.pools.values()) {
      const snapshot = pool.findSnapshot(toSnapshotId(pool.name, this.volumes.nodeKey, requestName));
      if (snapshot !== undefined) return snapshot;
    }
    return undefined;
  }

  /** In the order of ids, beginning after `id`. */
  *after(id: string): Generator<VolumeSnapshot, undefined> {
    for (const pool of this.volumes.pools.values()) {
      for (const snapshot of pool.snapshots()) {
        if (snapshot.snapshotId > id && this.isVisible(snapshot)) yield snapshot;
      }
    }
    return undefined;
  }

  /** Members of a group snapshot, in the order of ids. */
  ofGroup(groupId: string): VolumeSnapshot[] {
    return [...this.after('')].filter((snapshot) => snapshot.groupId === groupId);
  }

  private isVisible({ groupId }: VolumeSnapshot): boolean {
    return groupId === undefined || !this.unfinished.has(groupId);
  }
}
