import { Fault } from '../../proto/fault.ts';
import type { PodUid } from '../../proto/ids.ts';
import { describePod, type VolumeAttachment } from '../../proto/volume-attachment.ts';
import type { Capability } from '../validate.ts';
import { describeMismatch } from '../volume-mismatch.ts';
import type { FoundVolume } from '../volumes.ts';

/** What a request of NodePublishVolume is to come to, and what stands in its way. */

const READ_ONLY_MODES = ['SINGLE_NODE_READER_ONLY', 'MULTI_NODE_READER_ONLY'];

export interface Publication {
  readonly targetPath: string;
  readonly podUid: PodUid;
  readonly readOnly: boolean;
}

export function toAttachment(
  { pool, spec }: FoundVolume,
  { accessMode, mountFlags, volumeMode, fsGroup }: Capability,
  { targetPath, podUid, readOnly }: Publication,
): VolumeAttachment {
  return {
    volumeId: spec.volumeId,
    podUid,
    targetPath,
    volumeDirectory: pool.directoryOf(spec.volumeId),
    readOnly: readOnly || READ_ONLY_MODES.includes(accessMode),
    accessMode,
    mountFlags: [...mountFlags],
    publishedAtMs: Date.now(),
    volumeMode,
    ...(fsGroup === undefined ? {} : { fsGroup }),
  };
}

/** CSI 1.12: "Exceeds capabilities" is FAILED_PRECONDITION. */
export function requireFit(found: FoundVolume, { volumeMode, fsType, accessMode }: Capability): void {
  const { volumeId, class: volumeClass } = found.spec;
  const differences = describeMismatch(found, { fsType, accessModes: [accessMode] });
  if (volumeMode === 'Block' && volumeClass.consumer === 'kata') {
    differences.push('its consumer is stock Kata, which would give the pod the placeholder of a block volume');
  }
  if (differences.length === 0) return;
  const message = `volume_capability does not fit volume ${volumeId}: ${differences.join('; ')}`;
  throw new Fault('precondition', message, { fields: { volumeId } });
}

/** Whether other publications of the volume are in the way of this one, or it in theirs. */
export function needsSoleTarget({ spec }: FoundVolume): boolean {
  return spec.accessModes.includes('SINGLE_NODE_SINGLE_WRITER') || spec.class.consumer === 'kata';
}

/**
 * One target for a volume of a single writer. And for one of stock Kata: Kata's VMs take no lease, and QEMU's own lock is
 * off there, so that nothing else keeps two of them from writing one file system.
 */
export function requireSoleTarget(found: FoundVolume, others: readonly VolumeAttachment[]): void {
  const [other] = others;
  if (other === undefined || !needsSoleTarget(found)) return;
  const { volumeId, podUid, targetPath } = other;
  const why =
    found.spec.class.consumer === 'kata' ? 'is for stock Kata, which keeps no lease,' : 'has a single writer,';
  const message = `volume ${volumeId} ${why} and is published for ${describePod(podUid)} at ${targetPath}`;
  throw new Fault('precondition', message, { fields: { volumeId, podUid, targetPath } });
}

/** CSI 1.12: "Volume published but is incompatible" is ALREADY_EXISTS. */
export function requireSamePublication(existing: VolumeAttachment, wanted: VolumeAttachment): void {
  const { targetPath } = wanted;
  if (existing.volumeId !== wanted.volumeId) {
    const message = `target_path ${targetPath} is taken by volume ${existing.volumeId}`;
    throw new Fault('precondition', message, { fields: { targetPath } });
  }
  const differences = (['volumeMode', 'readOnly', 'accessMode', 'fsGroup'] as const)
    .filter((name) => existing[name] !== wanted[name])
    .map((name) => `with ${name} ${existing[name]}`);
  if (existing.podUid !== wanted.podUid) differences.unshift(`for ${describePod(existing.podUid)}`);
  if (existing.mountFlags.join(',') !== wanted.mountFlags.join(',')) differences.push('with other mount_flags');
  if (differences.length === 0) return;
  const message = `volume ${wanted.volumeId} is published at ${targetPath}, but ${differences.join(', ')}`;
  throw new Fault('exists', message, { fields: { targetPath } });
}
