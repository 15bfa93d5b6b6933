import { Fault } from '../../proto/fault.ts';
import { guestVolumePath, ROOT_SERIAL } from '../../proto/guest-layout.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { Disk, VmmCapabilities } from '../vmm/port.ts';
import type { VolumeFacts, VolumePlan } from './types.ts';
import { isPublishedReadOnly, mountOptions, type VolumeUse } from './volume-use.ts';

export interface VolumesPlan {
  readonly disks: readonly Disk[];
  readonly volumes: readonly VolumePlan[];
  readonly choices: Sandbox['choices'];
}

/** The root bus has 30 places, and the NICs want some of them. */
const MAX_VOLUMES = 24;

/** One disk for each volume, however many places of the container show it. */
export function planVolumes(uses: readonly VolumeUse[], capabilities: VmmCapabilities): VolumesPlan {
  const byVolume = new Map<string, VolumeUse[]>();
  for (const use of uses) {
    const id = use.facts.spec.volumeId;
    byVolume.set(id, [...(byVolume.get(id) ?? []), use]);
  }
  if (byVolume.size > MAX_VOLUMES) {
    const message = `the pod asks for ${byVolume.size} volumes, but a pod VM takes at most ${MAX_VOLUMES}`;
    throw new Fault('exhausted', message, { fields: { volumes: byVolume.size, limit: MAX_VOLUMES } });
  }
  const planned = [...byVolume.values()].map((places) => planVolume(places, capabilities));
  checkSerials(planned.map(({ volume }) => volume));
  return {
    disks: planned.map(({ disk }) => disk),
    volumes: planned.map(({ volume }) => volume),
    choices: planned.map(({ choice }) => choice),
  };
}

function planVolume(places: readonly VolumeUse[], capabilities: VmmCapabilities) {
  const facts = onePublication(places);
  const { spec, attachment } = facts;
  if (!capabilities.virtioBlk) {
    const message = `volume ${spec.volumeId}: this VMM (${capabilities.version}) cannot attach a virtio-blk disk`;
    throw new Fault('unsupported', message, { fields: { volumeId: spec.volumeId } });
  }
  const readOnly = isReadOnlyDisk(facts, places);
  const disk: Disk = {
    id: `disk-${spec.serial}`,
    transport: 'virtio-blk',
    path: `${attachment.volumeDirectory}/${VOLUME_FILES.image}`,
    serial: spec.serial,
    readOnly,
  };
  const storage = {
    serial: spec.serial,
    fsType: spec.fsType,
    mountPoint: guestVolumePath(spec.serial),
    options: mountOptions(attachment),
    readOnly,
    ownership: undefined,
  };
  const choice = {
    source: `volume ${spec.volumeId}`,
    chosen: readOnly ? 'virtio-blk, read-only' : 'virtio-blk',
    reason: `block volume, and the VMM can attach it${readOnly ? `; ${whyReadOnly(facts)}` : ''}`,
  };
  return { disk, choice, volume: { facts, storage, containerPaths: places.map((place) => place.containerPath) } };
}

/** Of several publications of one volume for the pod, the one that allows most: the places restrict themselves. */
function onePublication(places: readonly VolumeUse[]): VolumeFacts {
  const [first, ...others] = places.map(({ facts }) => facts);
  if (first === undefined) throw new Fault('internal', 'a volume without a place');
  const flags = (facts: VolumeFacts) => mountOptions(facts.attachment).filter((flag) => flag !== 'ro' && flag !== 'rw');
  for (const other of others) {
    if (flags(other).join() === flags(first).join()) continue;
    const message =
      `volume ${first.spec.volumeId} is published at ${first.attachment.targetPath} and ${other.attachment.targetPath} ` +
      'with different mount options, but is one disk with one mount; publish it with the same options';
    throw new Fault('precondition', message, { fields: { volumeId: first.spec.volumeId } });
  }
  return [first, ...others].find((facts) => !isPublishedReadOnly(facts)) ?? first;
}

/**
 * The disk is read-only if every place is. But a blank volume must be formatted first: then the disk is writable, and the
 * container's binds alone are read-only; unless the publication forbids every write.
 */
function isReadOnlyDisk(facts: VolumeFacts, places: readonly VolumeUse[]): boolean {
  const { spec, filesystem } = facts;
  if (filesystem.state === 'formatted') return places.every((place) => place.readOnly);
  if (!isPublishedReadOnly(facts)) return false;
  const message = `volume ${spec.volumeId} was never formatted and is published read-only; publish it writable once`;
  throw new Fault('precondition', message, { fields: { volumeId: spec.volumeId, state: filesystem.state } });
}

function whyReadOnly(facts: VolumeFacts): string {
  return isPublishedReadOnly(facts) ? 'it is published read-only' : 'the container asks for it read-only';
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
