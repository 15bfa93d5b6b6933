import type { AgentStorage } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { guestVolumePath } from '../../proto/guest-layout.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import { DEFAULT_CLASS, OWNERSHIP_POLICIES } from '../../proto/volume-class.ts';
import { FILESYSTEMS } from '../../proto/volume-spec.ts';
import type { Disk, VmmCapabilities } from '../vmm/port.ts';
import { diskId } from './disk-id.ts';
import type { DirectVolume } from './types.ts';

/** One place of the container that shows such a volume; `target` names the volume. */
export interface DirectUse {
  readonly target: string;
  readonly volume: DirectVolume;
  readonly readOnly: boolean;
}

export interface DirectVolumesPlan {
  readonly disks: readonly Disk[];
  readonly storages: readonly AgentStorage[];
  readonly choices: Sandbox['choices'];
  /** For whoever asked for the pod. */
  readonly notices: readonly string[];
}

/** Of the guest's words for a mount: what says nothing of the file system is left out. */
const NOT_OF_THE_MOUNT: readonly string[] = ['bind', 'rbind', 'rw', 'ro'];

/** Disks have names of their own here: the volume has none that fits. */
export const directSerial = (index: number): string => `direct-${index}`;

/** One disk for each volume, in the order of `targets`, however many places show it. */
export function planDirectVolumes(
  targets: readonly string[],
  uses: readonly DirectUse[],
  vcpus: number,
  capabilities: VmmCapabilities,
): DirectVolumesPlan {
  const planned = targets.map((target, index) => {
    const places = uses.filter((use) => use.target === target);
    return planDirectVolume(target, places, { serial: directSerial(index), vcpus, capabilities });
  });
  return {
    disks: planned.map(({ disk }) => disk),
    storages: planned.map(({ storage }) => storage),
    choices: planned.map(({ choice }) => choice),
    notices: planned.flatMap(({ notices }) => notices),
  };
}

interface DirectDisk {
  readonly serial: string;
  readonly vcpus: number;
  readonly capabilities: VmmCapabilities;
}

function planDirectVolume(target: string, places: readonly DirectUse[], { serial, vcpus, capabilities }: DirectDisk) {
  const [first] = places;
  if (first === undefined) throw new Fault('internal', 'a volume without a place');
  const { volume } = first;
  const { device, deviceKind, fsType, options, metadata } = volume;
  check(target, volume, capabilities);
  const readOnly = isDirectReadOnly(volume) || places.every((place) => place.readOnly);
  const { cache, aio, iothread } = DEFAULT_CLASS;
  const disk: Disk = {
    id: diskId(serial),
    transport: 'virtio-blk',
    path: device,
    isDevice: deviceKind === 'block',
    serial,
    readOnly,
    tuning: { cache, aio, queues: vcpus, iothread, discard: true },
  };
  const storage: AgentStorage = {
    serial,
    fsType,
    mountPoint: guestVolumePath(serial),
    options: options.filter((option) => !NOT_OF_THE_MOUNT.includes(option)),
    readOnly,
    ownership: readOnly ? undefined : planOwnership(target, metadata),
  };
  const choice = {
    source: `direct volume ${target}`,
    chosen: readOnly ? 'virtio-blk, read-only' : 'virtio-blk',
    reason: `${device}, by another driver's mountInfo.json; berth has no lease of it, QEMU's image lock stands alone`,
  };
  const notices =
    metadata['createFilesystem'] === 'true'
      ? [`${target}: createFilesystem of mountInfo.json is ignored; berth formats no disk that is not its own`]
      : [];
  return { disk, storage, choice, notices };
}

export const isDirectReadOnly = ({ options }: DirectVolume): boolean => options.includes('ro');

function check(target: string, { device, deviceKind, fsType, metadata }: DirectVolume, vmm: VmmCapabilities): void {
  const refuse = (code: 'unsupported' | 'not-found', what: string): Fault =>
    new Fault(code, `direct volume ${target}: ${what}`, { fields: { targetPath: target, device } });
  if (!vmm.virtioBlk) throw refuse('unsupported', `this VMM (${vmm.version}) cannot attach a virtio-blk disk`);
  if (deviceKind === 'absent') throw refuse('not-found', `there is no ${device}, which mountInfo.json names`);
  if (deviceKind === 'directory') throw refuse('unsupported', `${device} is neither a block device nor a file`);
  if (!FILESYSTEMS.some((known) => known === fsType)) {
    throw refuse('unsupported', `the guest has no file system ${fsType}; it has ${FILESYSTEMS.join(', ')}`);
  }
  if (metadata['encryptionKey'] !== undefined) {
    throw refuse('unsupported', 'mountInfo.json asks for encryption, which berth does not do');
  }
}

function planOwnership(target: string, { fsGroup, fsGroupChangePolicy = 'Always' }: DirectVolume['metadata']) {
  if (fsGroup === undefined) return undefined;
  const policy = OWNERSHIP_POLICIES.find((known) => known === fsGroupChangePolicy);
  if (/^\d+$/.test(fsGroup) && policy !== undefined) return { gid: Number(fsGroup), policy };
  const message = `direct volume ${target}: fsGroup ${fsGroup} with policy ${fsGroupChangePolicy} is none that there is`;
  throw new Fault('invalid', message, { fields: { targetPath: target } });
}
