import { Fault } from '../../proto/fault.ts';
import { NO_POD, placeholderSource } from '../../proto/volume-attachment.ts';
import type { PlanFacts, PlanRequest, VolumeFacts } from './types.ts';

/** One place of the container that shows a volume. */
export interface VolumeUse {
  readonly facts: VolumeFacts;
  readonly containerPath: string;
  /** Of this place: a volume may be read-only at one and writable at another. */
  readonly readOnly: boolean;
}

type Facts = Pick<PlanFacts, 'volumes' | 'mounts'>;

/**
 * The volume that is published for this pod at `targetPath`. Throws a Fault unless a record says so and berth's own
 * placeholder stands there: a path that is anything else would hand the guest data of the host, or nothing at all.
 */
export function findVolume(targetPath: string, request: Pick<PlanRequest, 'podUid'>, facts: Facts): VolumeFacts {
  const published = facts.volumes.filter(({ attachment }) => attachment.targetPath === targetPath);
  const volume = published.find(({ attachment }) => [request.podUid, NO_POD].includes(attachment.podUid));
  if (volume === undefined) throw notPublished(targetPath, request, published);

  const { volumeId } = volume.attachment;
  const fields = { volumeId, targetPath };
  if (volume.spec.volumeId !== volumeId) {
    const message = `volume ${volumeId}: its directory ${volume.attachment.volumeDirectory} belongs to volume ${volume.spec.volumeId}`;
    throw new Fault('precondition', message, { fields });
  }
  const mounted = facts.mounts.get(targetPath);
  if (mounted?.fsType !== 'tmpfs' || mounted.source !== placeholderSource(volumeId)) {
    const found = mounted === undefined ? 'nothing is mounted' : `${mounted.fsType} of ${mounted.source} is mounted`;
    const message =
      `volume ${volumeId}: ${found} at ${targetPath} where berth's placeholder ${placeholderSource(volumeId)} belongs; ` +
      'publish the volume again';
    throw new Fault('precondition', message, { fields });
  }
  return volume;
}

function notPublished(targetPath: string, request: Pick<PlanRequest, 'podUid'>, published: readonly VolumeFacts[]) {
  const owner = published[0]?.attachment.podUid;
  const found = owner === undefined ? 'no volume is' : `the volume is published for pod ${owner}; none is`;
  const message = `${targetPath}: ${found} published there for pod ${request.podUid}; publish it (NodePublishVolume) first`;
  return new Fault('precondition', message, { fields: { targetPath, podUid: request.podUid } });
}

/** Whether the guest may never write to the volume by this publication, whatever the container asks. */
export function isPublishedReadOnly({ attachment }: VolumeFacts): boolean {
  return (
    attachment.readOnly ||
    attachment.accessMode === 'SINGLE_NODE_READER_ONLY' ||
    mountOptions(attachment).includes('ro')
  );
}

/** Of the mount in the guest; one entry of the record may carry several, as in fstab. */
export const mountOptions = ({ mountFlags }: VolumeFacts['attachment']): readonly string[] =>
  mountFlags.flatMap((flags) => flags.split(',')).filter((flag) => flag !== '');

/** Throws unless `path` is one that crun can create and mount on beneath the container's root. */
export function checkContainerPath(path: string): void {
  const parts = path.split('/').slice(1);
  if (path.startsWith('/') && parts.some((part) => part !== '') && !parts.includes('..')) return;
  const message = `${JSON.stringify(path)} cannot take a volume: it must be an absolute path below "/", without ".."`;
  throw new Fault('invalid', message, { fields: { containerPath: path } });
}
