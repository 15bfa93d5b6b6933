import { Fault } from '../../proto/fault.ts';
import { NO_POD, placeholderSource } from '../../proto/volume-attachment.ts';
import { joinSubPath } from './sub-path.ts';
import type { HostMount, PlanFacts, PlanRequest, VolumeFacts, VolumePlace } from './types.ts';

/** One place of a container that shows a volume. */
export interface VolumeUse extends VolumePlace {
  readonly facts: VolumeFacts;
  /** Of this place: a volume may be read-only at one and writable at another. */
  readonly readOnly: boolean;
  /** A device node, not a directory. */
  readonly isDevice: boolean;
}

export interface FoundVolume {
  readonly facts: VolumeFacts;
  /** What of it the path stands for; empty: all of it. */
  readonly subPath: string;
}

type Facts = Pick<PlanFacts, 'volumes' | 'mounts'>;
type Owner = Pick<PlanRequest, 'podUid'>;

/**
 * The volume that `path` stands for: published there for this pod, or shown there in part by a bind mount of its
 * placeholder, as kubelet makes one for a subPath. Throws a Fault unless a record says so and berth's own placeholder is
 * what is mounted there: a path that is anything else would hand the guest data of the host, or nothing at all.
 */
export function findVolume(path: string, request: Owner, facts: Facts): FoundVolume {
  const mounted = facts.mounts.get(path);
  const volume = findPublished(path, request, facts) ?? findShown(mounted, request, facts);
  if (volume === undefined) throw notPublished(path, request, facts);
  checkDirectory(volume);
  const { volumeId, volumeMode } = volume.attachment;
  const fields = { volumeId, targetPath: path };
  if (volumeMode !== 'Filesystem') {
    const message = `volume ${volumeId} is published at ${path} as a block device; ask for it as one (berth run --device)`;
    throw new Fault('precondition', message, { fields });
  }
  if (mounted?.fsType !== 'tmpfs' || mounted.source !== placeholderSource(volumeId)) {
    const found = mounted === undefined ? 'nothing is mounted' : `${mounted.fsType} of ${mounted.source} is mounted`;
    const message =
      `volume ${volumeId}: ${found} at ${path} where berth's placeholder ${placeholderSource(volumeId)} belongs; ` +
      'publish the volume again';
    throw new Fault('precondition', message, { fields });
  }
  return { facts: volume, subPath: toSubPath(mounted.root, volumeId, path) };
}

/** The volume that is published in Block mode for this pod at `path`, which is the device node of its placeholder. */
export function findDevice(path: string, request: Owner, facts: Pick<PlanFacts, 'volumes' | 'devices'>): VolumeFacts {
  const volume = findPublished(path, request, facts);
  if (volume === undefined) throw notPublished(path, request, facts);
  checkDirectory(volume);
  const { volumeId, volumeMode, device } = volume.attachment;
  const fields = { volumeId, targetPath: path };
  if (volumeMode !== 'Block') {
    const message = `volume ${volumeId} is published at ${path} as a file system; ask for it as one (berth run --volume)`;
    throw new Fault('precondition', message, { fields });
  }
  const found = facts.devices.get(path);
  if (device === undefined || found?.major !== device.major || found.minor !== device.minor) {
    const message = `volume ${volumeId}: ${path} is not the device node of berth's placeholder; publish the volume again`;
    throw new Fault('precondition', message, { fields });
  }
  return volume;
}

const isFor = ({ attachment }: VolumeFacts, { podUid }: Owner): boolean => [podUid, NO_POD].includes(attachment.podUid);

const findPublished = (path: string, request: Owner, { volumes }: Pick<PlanFacts, 'volumes'>) =>
  volumes.find((volume) => volume.attachment.targetPath === path && isFor(volume, request));

const findShown = (mounted: HostMount | undefined, request: Owner, { volumes }: Facts) =>
  volumes.find((volume) => mounted?.source === placeholderSource(volume.attachment.volumeId) && isFor(volume, request));

function checkDirectory({ attachment, spec }: VolumeFacts): void {
  const { volumeId, volumeDirectory, targetPath } = attachment;
  if (spec.volumeId === volumeId) return;
  const message = `volume ${volumeId}: its directory ${volumeDirectory} belongs to volume ${spec.volumeId}`;
  throw new Fault('precondition', message, { fields: { volumeId, targetPath } });
}

/** What is mounted of the placeholder is what is shown of the volume. */
function toSubPath(root: string, volumeId: string, path: string): string {
  if (!root.endsWith('//deleted')) return joinSubPath(root);
  const message = `volume ${volumeId}: the sub path that ${path} showed was removed from the placeholder; make it anew`;
  throw new Fault('precondition', message, { fields: { volumeId, targetPath: path } });
}

function notPublished(path: string, { podUid }: Owner, { volumes }: Pick<PlanFacts, 'volumes'>): Fault {
  const owner = volumes.find(({ attachment }) => attachment.targetPath === path)?.attachment.podUid;
  const found = owner === undefined ? 'no volume is' : `the volume is published for pod ${owner}; none is`;
  const message = `${path}: ${found} published there for pod ${podUid}; publish it (NodePublishVolume) first`;
  return new Fault('precondition', message, { fields: { targetPath: path, podUid } });
}

/** Access modes that allow no VM to write. */
const READ_ONLY_MODES: readonly string[] = ['SINGLE_NODE_READER_ONLY', 'MULTI_NODE_READER_ONLY'];

/** Whether the guest may never write to the volume by this publication, whatever the container asks. */
export function isPublishedReadOnly({ attachment }: VolumeFacts): boolean {
  return (
    attachment.readOnly || READ_ONLY_MODES.includes(attachment.accessMode) || mountOptions(attachment).includes('ro')
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

/** Throws if two of a container's places are one. */
export function checkPlaces(uses: readonly VolumeUse[]): void {
  const places = new Set<string>();
  for (const { containerPath } of uses) {
    const place = containerPath.split('/').filter(Boolean).join('/');
    if (places.has(place)) {
      const message = `${containerPath} is asked for by two volumes; give one of them another path`;
      throw new Fault('invalid', message, { fields: { containerPath } });
    }
    places.add(place);
  }
}
