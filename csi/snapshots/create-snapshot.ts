import { Fault } from '../../proto/fault.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import type { Pool } from '../pool/port.ts';
import { toSnapshotId } from '../snapshot-id.ts';
import * as validate from '../validate.ts';
import type { Call, CallContext } from '../verb.ts';
import { splitVolumeId } from '../volume-id.ts';
import type { FoundVolume } from '../volumes.ts';
import type { SnapshotContext } from './context.ts';
import { describeForeignUse, requireNoForeignUse } from './foreign-use.ts';
import type { CreateSnapshotRequest, CreateSnapshotResponse } from './messages.ts';
import { toSnapshotMessage } from './snapshot-message.ts';
import { parseSnapshotParameters } from './snapshot-parameters.ts';
import { takeSnapshots } from './take-snapshots.ts';

/** CSI 1.12, CreateSnapshot. The name is the key: the same request again finds what the first one made. */
export function createSnapshot(request: CreateSnapshotRequest, context: SnapshotContext): Call<CreateSnapshotResponse> {
  const { volumes, snapshots, attachments, shims } = context;
  const name = validate.parseName(request.name, 'name');
  const volumeId = validate.parseText(request.source_volume_id, 'source_volume_id');
  const { allowCopy } = parseSnapshotParameters(request.parameters, 'parameters');
  const pool = splitVolumeId(volumeId)?.pool;
  const snapshotIds = pool === undefined ? [] : [toSnapshotId(pool, volumes.nodeKey, name)];

  return {
    locks: [volumeId, ...snapshotIds],
    fields: { volumeId, name, snapshotId: snapshotIds[0] },
    async run(call) {
      const existing = snapshots.findByName(name);
      if (existing !== undefined) {
        requireSameSource(existing, volumeId);
        return { snapshot: toSnapshotMessage(existing) };
      }
      const source = volumes.require(volumeId);
      const wanted = toRecord(source, name, volumes.nodeKey);
      const foreignUse = await describeForeignUse(source, attachments);
      if (source.pool.features.snapshots !== 'instant') {
        requireNoForeignUse(foreignUse, source);
        return { snapshot: toSnapshotMessage(await copySnapshot(source.pool, wanted, allowCopy, call)) };
      }
      const [snapshot] = await takeSnapshots([{ pool: source.pool, snapshot: wanted, foreignUse }], shims, call);
      if (snapshot === undefined) throw new Fault('internal', `snapshot ${wanted.snapshotId} was not taken`);
      return { snapshot: toSnapshotMessage(snapshot) };
    },
  };
}

function toRecord({ pool, spec }: FoundVolume, name: string, nodeKey: string) {
  return {
    snapshotId: toSnapshotId(pool.name, nodeKey, name),
    name,
    sourceVolumeId: spec.volumeId,
    sizeBytes: spec.capacityBytes,
    fsType: spec.fsType,
    createdAtMs: Date.now(),
  };
}

/** Runs beyond the call: `busy`, with its progress, until the same request finds it done. */
async function copySnapshot(
  pool: Pool,
  wanted: Omit<VolumeSnapshot, 'consistency' | 'remark'>,
  mayCopy: boolean,
  { log }: CallContext,
): Promise<VolumeSnapshot> {
  const { sourceVolumeId: volumeId } = wanted;
  if (!mayCopy) {
    const message =
      `pool ${pool.name} cannot take instant snapshots (${pool.features.reason}); a snapshot class with ` +
      'allowCopy: "true" has it copy a volume that no pod uses, byte by byte';
    throw new Fault('precondition', message, { fields: { volumeId, pool: pool.name } });
  }
  const owner = await pool.ownerOf(volumeId);
  if (owner.kind === 'vm') {
    const message =
      `volume ${volumeId} is in use by pod ${owner.podUid}, and pool ${pool.name} can only copy volumes that no pod ` +
      `uses (${pool.features.reason}); end the pod first`;
    throw new Fault('precondition', message, { fields: { volumeId, podUid: owner.podUid } });
  }
  const snapshot = await pool.createSnapshot({ ...wanted, consistency: 'detached', remark: '' }, { mayCopy }, log);
  log.info('snapshot copied', { consistency: snapshot.consistency });
  return snapshot;
}

function requireSameSource({ name, snapshotId, sourceVolumeId }: VolumeSnapshot, volumeId: string): void {
  if (sourceVolumeId === volumeId) return;
  const message = `snapshot ${JSON.stringify(name)} exists as ${snapshotId}, but of volume ${sourceVolumeId}`;
  throw new Fault('exists', message, { fields: { snapshotId, volumeId: sourceVolumeId } });
}
