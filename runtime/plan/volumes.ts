import type { AgentStorage } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { guestVolumePath, ROOT_SERIAL } from '../../proto/guest-layout.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { Disk, VmmCapabilities } from '../vmm/port.ts';
import { diskId } from './disk-id.ts';
import { describeTuning, planTuning } from './disk-tuning.ts';
import type { VolumeFacts, VolumePlan } from './types.ts';
import { isPublishedReadOnly, mountOptions, type VolumeUse } from './volume-use.ts';

export interface VolumesPlan {
  readonly disks: readonly Disk[];
  readonly volumes: readonly VolumePlan[];
  readonly choices: Sandbox['choices'];
}

/** The root bus has 30 places, and the NICs want some of them. */
const MAX_VOLUMES = 24;

/** One disk for each volume, however many places of the containers show it. */
export function planVolumes(uses: readonly VolumeUse[], vcpus: number, capabilities: VmmCapabilities): VolumesPlan {
  const byVolume = new Map<string, VolumeUse[]>();
  for (const use of uses) {
    const id = use.facts.spec.volumeId;
    byVolume.set(id, [...(byVolume.get(id) ?? []), use]);
  }
  if (byVolume.size > MAX_VOLUMES) {
    const message = `the pod asks for ${byVolume.size} volumes, but a pod VM takes at most ${MAX_VOLUMES}`;
    throw new Fault('exhausted', message, { fields: { volumes: byVolume.size, limit: MAX_VOLUMES } });
  }
  const planned = [...byVolume.values()].map((places) => planVolume(places, vcpus, capabilities));
  checkSerials(planned.map(({ volume }) => volume));
  return {
    disks: planned.map(({ disk }) => disk),
    volumes: planned.map(({ volume }) => volume),
    choices: planned.map(({ choice }) => choice),
  };
}

function planVolume(places: readonly VolumeUse[], vcpus: number, capabilities: VmmCapabilities) {
  const facts = onePublication(places);
  const { spec, attachment } = facts;
  if (!capabilities.virtioBlk) {
    const message = `volume ${spec.volumeId}: this VMM (${capabilities.version}) cannot attach a virtio-blk disk`;
    throw new Fault('unsupported', message, { fields: { volumeId: spec.volumeId } });
  }
  const isBlock = attachment.volumeMode === 'Block';
  const readOnly = isReadOnlyDisk(facts, places);
  const tuning = planTuning(spec, vcpus, capabilities);
  const disk: Disk = {
    id: diskId(spec.serial),
    transport: 'virtio-blk',
    path: `${attachment.volumeDirectory}/${VOLUME_FILES.image}`,
    serial: spec.serial,
    readOnly,
    tuning,
  };
  const choice = {
    source: `volume ${spec.volumeId}`,
    chosen: readOnly ? 'virtio-blk, read-only' : 'virtio-blk',
    reason:
      `${isBlock ? 'block volume, a device in the container' : 'block volume'}, and the VMM can attach it` +
      `${readOnly ? `; ${whyReadOnly(facts)}` : ''}${describeTuning(spec, tuning)}`,
  };
  const volume: VolumePlan = {
    facts,
    diskId: disk.id,
    readOnly,
    storage: isBlock ? undefined : planStorage(facts, readOnly),
    places: places.map(({ containerId, containerPath }) => ({ containerId, containerPath })),
  };
  return { disk, choice, volume };
}

function planStorage({ spec, attachment }: VolumeFacts, readOnly: boolean): AgentStorage {
  const { fsGroup } = attachment;
  return {
    serial: spec.serial,
    fsType: spec.fsType,
    mountPoint: guestVolumePath(spec.serial),
    options: mountOptions(attachment),
    readOnly,
    ownership: fsGroup === undefined || readOnly ? undefined : { gid: fsGroup, policy: spec.class.fsGroupChangePolicy },
  };
}

/** What publications of one volume for one pod must agree on, for it is one disk with one use. */
const AGREED: Readonly<Record<string, (facts: VolumeFacts) => string>> = {
  'as a file system and as a block device': ({ attachment }) => attachment.volumeMode,
  'with different mount options': ({ attachment }) =>
    mountOptions(attachment)
      .filter((flag) => flag !== 'ro' && flag !== 'rw')
      .join(),
  'for different groups (fsGroup)': ({ attachment }) => String(attachment.fsGroup),
};

/** Of several publications of one volume for the pod, the one that allows most: the places restrict themselves. */
function onePublication(places: readonly VolumeUse[]): VolumeFacts {
  const [first, ...others] = places.map(({ facts }) => facts);
  if (first === undefined) throw new Fault('internal', 'a volume without a place');
  for (const other of others) {
    const difference = Object.entries(AGREED).find(([, aspect]) => aspect(other) !== aspect(first));
    if (difference === undefined) continue;
    const message =
      `volume ${first.spec.volumeId} is published at ${first.attachment.targetPath} and ` +
      `${other.attachment.targetPath} ${difference[0]}, but is one disk; publish it alike`;
    throw new Fault('precondition', message, { fields: { volumeId: first.spec.volumeId } });
  }
  return [first, ...others].find((facts) => !isPublishedReadOnly(facts)) ?? first;
}

/**
 * The disk is read-only if every place is. But a volume without a file system must be formatted first: then the disk is
 * writable, and the containers' binds alone are read-only; unless the publication forbids every write.
 */
function isReadOnlyDisk(facts: VolumeFacts, places: readonly VolumeUse[]): boolean {
  const { spec, filesystem, attachment } = facts;
  const isUsable = filesystem.state === 'formatted' || filesystem.state === 'raw';
  if (isUsable || attachment.volumeMode === 'Block') return places.every((place) => place.readOnly);
  if (!isPublishedReadOnly(facts)) return false;
  const message = `volume ${spec.volumeId} was never formatted and is published read-only; publish it writable once`;
  throw new Fault('precondition', message, { fields: { volumeId: spec.volumeId, state: filesystem.state } });
}

function whyReadOnly(facts: VolumeFacts): string {
  return isPublishedReadOnly(facts) ? 'it is published read-only' : 'it is asked for read-only';
}

function checkSerials(volumes: readonly VolumePlan[]): void {
  const owners = new Map([[ROOT_SERIAL, 'the root disk']]);
  for (const { facts } of volumes) {
    const { serial, volumeId } = facts.spec;
    const owner = owners.get(serial);
    if (owner !== undefined) {
      const message = `volume ${volumeId} and ${owner} have the same disk serial ${serial}; the guest could not tell them apart`;
      throw new Fault('precondition', message, { fields: { volumeId, serial } });
    }
    owners.set(serial, `volume ${volumeId}`);
  }
}
