import { Fault } from '../proto/fault.ts';
import type { Filesystem, VolumeSpec } from '../proto/volume-spec.ts';
import type { ContentSourceMessage } from './messages.ts';
import type { Pool, PoolSource } from './pool/port.ts';
import type { Snapshots } from './snapshots/snapshots.ts';
import { invalid, parseText } from './validate.ts';
import type { Volumes } from './volumes.ts';

/** Where sources are looked for. */
export interface Places {
  readonly volumes: Volumes;
  readonly snapshots: Snapshots;
}

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

/** The pool that has the source, in which its copies stay; undefined if this server has none such. */
export function poolOfSource(asked: AskedSource | undefined, places: Places): string | undefined {
  const location = asked && locate(asked, places);
  return location?.kind === 'here' ? location.pool.name : undefined;
}

/**
 * The source in `pool`. Fault `not-found` if there is none; `exhausted` if another node has it, so that the scheduler
 * looks there; `invalid` if another pool of this node has it.
 */
export function findSource(asked: AskedSource, pool: Pool, places: Places): FoundSource {
  const noun = `${asked.kind} ${asked.id}`;
  const fields = { field: 'volume_content_source' };
  const location = locate(asked, places);
  if (location.kind === 'elsewhere') throw new Fault('exhausted', location.reason, { fields });
  if (location.kind === 'here' && location.pool !== pool) {
    throw invalid('volume_content_source', `${noun} is in pool ${location.pool.name}, and can be copied only there`);
  }
  const found = look(asked, places);
  if (found === undefined) throw new Fault('not-found', `there is no ${noun}`, { fields });
  return found;
}

function locate({ kind, id }: AskedSource, { volumes, snapshots }: Places) {
  return kind === 'snapshot' ? snapshots.locate(id) : volumes.locate(id);
}

function look({ kind, id }: AskedSource, { volumes, snapshots }: Places): FoundSource | undefined {
  if (kind === 'snapshot') {
    const snapshot = snapshots.find(id)?.snapshot;
    if (snapshot === undefined) return undefined;
    const { snapshotId, sizeBytes, fsType } = snapshot;
    return { source: { kind, snapshotId }, sizeBytes, fsType };
  }
  const spec = volumes.find(id)?.spec;
  return spec && { source: { kind, volumeId: spec.volumeId }, sizeBytes: spec.capacityBytes, fsType: spec.fsType };
}
