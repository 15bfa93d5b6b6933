import type { AgentBind } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { GUEST_RESOLV_CONF, guestBindPath, guestVolumePath } from '../../proto/guest-layout.ts';
import { type DirectUse, directSerial, isDirectReadOnly } from './direct-volume.ts';
import type { OciMount } from './oci-spec.ts';
import { joinSubPath } from './sub-path.ts';
import type { ContainerRequest, DirectVolume, PlanFacts, PlanRequest } from './types.ts';
import { checkContainerPath, findVolume, isPublishedReadOnly, type VolumeUse } from './volume-use.ts';

export interface MountsPlan {
  /** For the guest's config.json, in the order of the request: what comes later may lie on what came before. */
  readonly mounts: readonly OciMount[];
  readonly uses: readonly VolumeUse[];
  /** Parts of volumes, which the guest resolves before crun sees them. */
  readonly binds: readonly AgentBind[];
  /** Places that show volumes of other drivers. */
  readonly directUses: readonly DirectUse[];
}

/** What one container's mounts are planned with. */
interface Context {
  readonly container: ContainerRequest;
  readonly request: PlanRequest;
  readonly facts: PlanFacts;
}

/** File systems that the guest's kernel makes by itself, with nothing of the host in them. */
const OF_THE_GUEST: readonly string[] = ['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2'];

/** `mounts` of the bundle as the guest's crun gets them, then the requested volumes, then resolv.conf if `hasDns`. */
export function planMounts(
  container: ContainerRequest,
  request: PlanRequest,
  facts: PlanFacts,
  hasDns: boolean,
): MountsPlan {
  const context = { container, request, facts };
  const planned = [
    ...(container.spec.mounts ?? []).map((mount, index) => planMount({ mount, name: `mount-${index}` }, context)),
    ...container.volumes
      .filter(({ isDevice }) => !isDevice)
      .map(({ targetPath, containerPath, readOnly, subPath }, index) => {
        const bind = { destination: containerPath, type: 'bind', options: [readOnly ? 'ro' : 'rw'] };
        const asked = { mount: { ...bind, source: targetPath }, name: `volume-${index}`, subPath };
        return planBind(asked, context);
      }),
  ];
  const mounts = planned.map(({ mount }) => mount);
  if (hasDns && !mounts.some(({ destination }) => destination === '/etc/resolv.conf')) mounts.push(RESOLV_CONF);
  const uses = planned.flatMap(({ use }) => (use === undefined ? [] : [use]));
  const binds = planned.flatMap(({ bind }) => (bind === undefined ? [] : [bind]));
  const directUses = planned.flatMap(({ direct }) => (direct === undefined ? [] : [direct]));
  return { mounts, uses, binds, directUses };
}

const RESOLV_CONF: OciMount = {
  destination: '/etc/resolv.conf',
  type: 'bind',
  source: GUEST_RESOLV_CONF,
  options: ['rbind', 'ro'],
};

interface AskedMount {
  readonly mount: OciMount;
  /** Unique in the container. */
  readonly name: string;
  /** Below what the source shows. */
  readonly subPath?: string;
}

interface PlannedMount {
  readonly mount: OciMount;
  readonly use?: VolumeUse;
  readonly bind?: AgentBind;
  readonly direct?: DirectUse;
}

function planMount(asked: AskedMount, context: Context): PlannedMount {
  const { mount } = asked;
  if (isBind(mount)) return planBind(asked, context);
  if (mount.type !== undefined && OF_THE_GUEST.includes(mount.type)) return { mount };
  const type = mount.type === undefined ? 'of no type' : `of type ${mount.type}`;
  const message = `mount ${mount.destination} ${type} cannot enter the VM; remove it from config.json`;
  throw new Fault('unsupported', message, { fields: { destination: mount.destination } });
}

/** The runtime specification lets either say it; a bind option makes any type a bind, as mount(8) has it. */
const isBind = (mount: OciMount): boolean =>
  mount.type === 'bind' || (mount.options ?? []).some((option) => option === 'bind' || option === 'rbind');

function planBind({ mount, name, subPath = '' }: AskedMount, context: Context): PlannedMount {
  const { container, request, facts } = context;
  const source = mount.source ?? '';
  const direct = facts.direct.get(source);
  if (direct !== undefined) return planDirectBind({ mount, name, subPath }, direct, context);
  const isVolume =
    facts.volumes.some(({ attachment }) => attachment.targetPath === source) ||
    facts.mounts.get(source)?.source.startsWith('berth:') === true ||
    container.volumes.some(({ targetPath }) => targetPath === source);
  if (!isVolume) {
    const message =
      `mount ${mount.destination} binds ${source || 'nothing'} of the host, which is no volume of berth and cannot ` +
      'enter the VM; use a volume or remove it from config.json';
    throw new Fault('unsupported', message, { fields: { destination: mount.destination, source } });
  }
  checkContainerPath(mount.destination);
  const { facts: volume, subPath: shown } = findVolume(source, request, facts);
  const readOnly = isPublishedReadOnly(volume) || (mount.options ?? []).includes('ro');
  return {
    ...toGuestBind({ mount, name, subPath: joinSubPath(shown, subPath) }, container.id, volume.spec.serial, readOnly),
    use: { facts: volume, containerId: container.id, containerPath: mount.destination, readOnly, isDevice: false },
  };
}

function planDirectBind(asked: AskedMount, volume: DirectVolume, { container, request, facts }: Context): PlannedMount {
  const { mount, subPath = '' } = asked;
  checkContainerPath(mount.destination);
  const target = mount.source ?? '';
  const index = directTargets(request, facts).indexOf(target);
  const readOnly = isDirectReadOnly(volume) || (mount.options ?? []).includes('ro');
  return {
    ...toGuestBind({ ...asked, subPath: joinSubPath(subPath) }, container.id, directSerial(index), readOnly),
    direct: { target, volume, readOnly },
  };
}

/** The mount of a volume, or of a part of it, in the guest's config.json. */
function toGuestBind(
  { mount, name, subPath }: Required<AskedMount>,
  containerId: string,
  serial: string,
  readOnly: boolean,
): PlannedMount {
  const others = (mount.options ?? []).filter((option) => !['bind', 'rbind', 'ro', 'rw'].includes(option));
  return {
    mount: {
      destination: mount.destination,
      type: 'bind',
      source: subPath === '' ? guestVolumePath(serial) : guestBindPath(containerId, name),
      options: [...others, 'rbind', readOnly ? 'ro' : 'rw'],
    },
    ...(subPath === '' ? {} : { bind: { name, serial, subPath } }),
  };
}

/** Host paths whose topmost mount the planner must know: whatever the containers would see of the host. */
export function volumeTargets({ containers }: Pick<PlanRequest, 'containers'>): readonly string[] {
  const paths = containers.flatMap(({ spec, volumes }) => [
    ...volumes.filter(({ isDevice }) => !isDevice).map(({ targetPath }) => targetPath),
    ...(spec.mounts ?? []).filter(isBind).flatMap(({ source }) => (source === undefined ? [] : [source])),
  ]);
  return [...new Set(paths)];
}

/** Of these, the volumes of other drivers: each once, in the order of their disks. */
export const directTargets = (
  request: Pick<PlanRequest, 'containers'>,
  { direct }: Pick<PlanFacts, 'direct'>,
): readonly string[] => volumeTargets(request).filter((path) => direct.has(path));
