import { Fault } from '../proto/fault.ts';
import { parseVolumeId, type VolumeId } from '../proto/ids.ts';
import type { VolumeSpec } from '../proto/volume-spec.ts';
import type { Pool } from './pool/port.ts';
import { splitVolumeId, toVolumeId, type VolumeIdParts } from './volume-id.ts';

export interface FoundVolume {
  readonly pool: Pool;
  readonly spec: VolumeSpec;
}

/** Only `here` says that a pool of this server could have it. */
export type Place =
  | { readonly kind: 'here'; readonly pool: Pool }
  | { readonly kind: 'elsewhere'; readonly reason: string };

/** Where a volume id points to. */
export type Location =
  | (Extract<Place, { readonly kind: 'here' }> & { readonly volumeId: VolumeId })
  | Extract<Place, { readonly kind: 'elsewhere' }>
  | { readonly kind: 'nowhere' };

/** The volumes of this node, in all of its pools. */
export class Volumes {
  readonly nodeKey: string;
  readonly pools: ReadonlyMap<string, Pool>;

  constructor(nodeKey: string, pools: readonly Pool[]) {
    this.nodeKey = nodeKey;
    // As their ids are ordered: ids begin with the pool and a dot.
    const ordered = [...pools].sort((one, other) => (`${one.name}.` < `${other.name}.` ? -1 : 1));
    this.pools = new Map(ordered.map((pool) => [pool.name, pool]));
  }

  locate(volumeId: string): Location {
    const parts = splitVolumeId(volumeId);
    if (parts === undefined) return { kind: 'nowhere' };
    const place = this.placeOf(`volume ${volumeId}`, parts);
    return place.kind === 'here' ? { ...place, volumeId: parseVolumeId(volumeId) } : place;
  }

  /** The pool that an id names. `noun` is what the id is of, for a person. */
  placeOf(noun: string, { nodeKey, pool: name }: VolumeIdParts): Place {
    if (nodeKey !== this.nodeKey) {
      return { kind: 'elsewhere', reason: `${noun} lives on the node of key ${nodeKey}, but this is ${this.nodeKey}` };
    }
    const pool = this.pools.get(name);
    if (pool !== undefined) return { kind: 'here', pool };
    return { kind: 'elsewhere', reason: `${noun} lives in pool ${name}, which this server was not given (--pool)` };
  }

  find(volumeId: string): FoundVolume | undefined {
    const location = this.locate(volumeId);
    const spec = location.kind === 'here' ? location.pool.find(location.volumeId) : undefined;
    return location.kind === 'here' && spec !== undefined ? { pool: location.pool, spec } : undefined;
  }

  /** Fault `not-found` says why. */
  require(volumeId: string): FoundVolume {
    const found = this.find(volumeId);
    if (found !== undefined) return found;
    const location = this.locate(volumeId);
    const reason = location.kind === 'elsewhere' ? location.reason : `there is no volume ${volumeId}`;
    throw new Fault('not-found', reason, { fields: { volumeId } });
  }

  /** By the name of CreateVolume, whatever pool it went to. */
  findByName(requestName: string): FoundVolume | undefined {
    for (const pool of this.pools.values()) {
      const spec = pool.find(toVolumeId(pool.name, this.nodeKey, requestName));
      if (spec !== undefined) return { pool, spec };
    }
    return undefined;
  }

  /** In the order of ids. */
  *all(): Generator<FoundVolume, undefined> {
    yield* this.after('');
    return undefined;
  }

  /** The first `count` volumes with an id greater than `after`, but no ephemeral ones, and whether there are more. */
  page(after: string, count: number): { readonly page: FoundVolume[]; readonly hasMore: boolean } {
    const page: FoundVolume[] = [];
    for (const found of this.after(after)) {
      if (found.spec.isEphemeral) continue;
      if (page.length === count) return { page, hasMore: true };
      page.push(found);
    }
    return { page, hasMore: false };
  }

  /** What the ids of volumes and snapshots in the pool begin with, if they are this node's own. */
  prefixOf(pool: Pool): string {
    return `${pool.name}.${this.nodeKey}.`;
  }

  /** Ids in the pool of another node, or of a pool of another name: every verb says that they are elsewhere. */
  strangersIn(pool: Pool): string[] {
    const ids = [...pool.volumes().map(({ volumeId }) => volumeId), ...pool.snapshots().map((one) => one.snapshotId)];
    return ids.filter((id) => !id.startsWith(this.prefixOf(pool)));
  }

  private *after(id: string): Generator<FoundVolume> {
    for (const pool of this.pools.values()) {
      const prefix = this.prefixOf(pool);
      const specs = pool.volumes();
      for (let index = firstAfter(specs, id); index < specs.length; index += 1) {
        const spec = specs[index];
        if (spec?.volumeId.startsWith(prefix) === true) yield { pool, spec };
      }
    }
  }
}

/** Index of the first spec whose id is greater, in an array ordered by ids. */
function firstAfter(specs: readonly VolumeSpec[], id: string): number {
  let [low, high] = [0, specs.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((specs[middle]?.volumeId ?? '') > id) high = middle;
    else low = middle + 1;
  }
  return low;
}
