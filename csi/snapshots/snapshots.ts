import { Fault } from '../../proto/fault.ts';
import { parseSnapshotId, type SnapshotId } from '../../proto/ids.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import type { Pool } from '../pool/port.ts';
import { splitSnapshotId, toSnapshotId } from '../snapshot-id.ts';
import type { Place, Volumes } from '../volumes.ts';

export interface FoundSnapshot {
  readonly pool: Pool;
  readonly snapshot: VolumeSnapshot;
}

/** Where a snapshot id points to. */
export type SnapshotLocation =
  | (Extract<Place, { readonly kind: 'here' }> & { readonly snapshotId: SnapshotId })
  | Extract<Place, { readonly kind: 'elsewhere' }>
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
    const place = this.volumes.placeOf(`snapshot ${snapshotId}`, parts);
    return place.kind === 'here' ? { ...place, snapshotId: parseSnapshotId(snapshotId) } : place;
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
      const prefix = this.volumes.prefixOf(pool);
      for (const snapshot of pool.snapshots()) {
        const { snapshotId } = snapshot;
        if (snapshotId > id && snapshotId.startsWith(prefix) && this.isVisible(snapshot)) yield snapshot;
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
