import { Fault } from '../proto/fault.ts';
import { parseSnapshotId, parseVolumeId } from '../proto/ids.ts';
import type { Filesystem, VolumeSpec } from '../proto/volume-spec.ts';
import type { ContentSourceMessage } from './messages.ts';
import type { Pool, PoolSource } from './pool/port.ts';
import { invalid, parseText } from './validate.ts';
import { placeOf } from './volume-id.ts';
import type { Volumes } from './volumes.ts';

/** A source, and what it means for the volume that is made of it. */
export interface FoundSource {
  readonly source: PoolSource;
  readonly sizeBytes: number;
  readonly fsType: Filesystem;
}

/** Of CreateVolumeRequest.volume_content_source, as it stands in the request; nothing is looked up. */
export interface AskedSource {
  readonly kind: 'snapshot' | 'volume';
  readonly id: string;
}

export function parseContentSource(message: ContentSourceMessage | null, field: string): AskedSource | undefined {
  if (message === null) return undefined;
  const { snapshot, volume } = message;
  if (snapshot !== null && snapshot !== undefined) {
    return { kind: 'snapshot', id: parseText(snapshot.snapshot_id, `${field}.snapshot.snapshot_id`) };
  }
  if (volume !== null && volume !== undefined) {
    return { kind: 'volume', id: parseText(volume.volume_id, `${field}.volume.volume_id`) };
  }
  throw invalid(`${field}.type`, 'is required (snapshot or volume)');
}

/** For comparison and for a person: `blank`, `a copy of volume fast.0123456789ab.pvc-1`. */
export function describeContent(source: AskedSource | undefined): string {
  return source === undefined ? 'blank' : `a copy of ${source.kind} ${source.id}`;
}

export function toAskedSource(source: VolumeSpec['source']): AskedSource | undefined {
  if (source === undefined) return undefined;
  return { kind: source.kind, id: source.kind === 'snapshot' ? source.snapshotId : source.volumeId };
}

/** Copies stay in their source's pool, which its id names; undefined if this node has none of the name. */
export function poolOfSource(source: AskedSource | undefined, volumes: Volumes): string | undefined {
  const pool = source === undefined ? undefined : placeOf(source.id)?.pool;
  return pool !== undefined && volumes.pools.has(pool) ? pool : undefined;
}

/**
 * The source in `pool`. Fault `not-found` if there is none; `exhausted` if another node has it, so that the scheduler
 * looks there; `invalid` if another pool of this node has it.
 */
export function findSource(asked: AskedSource, pool: Pool, volumes: Volumes): FoundSource {
  const noun = `${asked.kind} ${asked.id}`;
  const fields = { field: 'volume_content_source' };
  const place = placeOf(asked.id);
  if (place === undefined) throw new Fault('not-found', `there is no ${noun}`, { fields });
  const found = look(asked, pool);
  if (found !== undefined) return found;
  const { nodeKey } = volumes;
  if (place.nodeKey !== nodeKey) {
    throw new Fault('exhausted', `${noun} lives on the node of key ${place.nodeKey}, but this is ${nodeKey}`, {
      fields,
    });
  }
  if (place.pool !== pool.name) {
    throw invalid('volume_content_source', `${noun} is in pool ${place.pool}, and can be copied only there`);
  }
  throw new Fault('not-found', `there is no ${noun}`, { fields });
}

function look({ kind, id }: AskedSource, pool: Pool): FoundSource | undefined {
  if (kind === 'snapshot') {
    const snapshotId = parseSnapshotId(id);
    const snapshot = pool.findSnapshot(snapshotId);
    return snapshot && { source: { kind, snapshotId }, sizeBytes: snapshot.sizeBytes, fsType: snapshot.fsType };
  }
  const volumeId = parseVolumeId(id);
  const spec = pool.find(volumeId);
  return spec && { source: { kind, volumeId }, sizeBytes: spec.capacityBytes, fsType: spec.fsType };
}
