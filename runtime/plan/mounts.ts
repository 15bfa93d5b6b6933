import { Fault } from '../../proto/fault.ts';
import { GUEST_RESOLV_CONF, guestVolumePath } from '../../proto/guest-layout.ts';
import type { OciMount } from './oci-spec.ts';
import type { PlanFacts, PlanRequest } from './types.ts';
import { checkContainerPath, findVolume, isPublishedReadOnly, type VolumeUse } from './volume-use.ts';

export interface MountsPlan {
  /** For the guest's config.json, in the order of the request: what comes later may lie on what came before. */
  readonly mounts: readonly OciMount[];
  readonly uses: readonly VolumeUse[];
}

/** File systems that the guest's kernel makes by itself, with nothing of the host in them. */
const OF_THE_GUEST: readonly string[] = ['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2'];

/** `mounts` of the bundle as the guest's crun gets them, then the requested volumes, then resolv.conf if `hasDns`. */
export function planMounts(request: PlanRequest, facts: PlanFacts, hasDns: boolean): MountsPlan {
  const planned = [
    ...(request.spec.mounts ?? []).map((mount) => planMount(mount, request, facts)),
    ...request.volumes.map((volume) => {
      const bind = { destination: volume.containerPath, type: 'bind', options: [volume.readOnly ? 'ro' : 'rw'] };
      return planBind({ ...bind, source: volume.targetPath }, request, facts);
    }),
  ];
  const mounts = planned.map(({ mount }) => mount);
  if (hasDns && !mounts.some(({ destination }) => destination === '/etc/resolv.conf')) mounts.push(RESOLV_CONF);
  const uses = planned.flatMap(({ use }) => (use === undefined ? [] : [use]));
  checkPlaces(uses);
  return { mounts, uses };
}

const RESOLV_CONF: OciMount = {
  destination: '/etc/resolv.conf',
  type: 'bind',
  source: GUEST_RESOLV_CONF,
  options: ['rbind', 'ro'],
};

interface PlannedMount {
  readonly mount: OciMount;
  readonly use?: VolumeUse;
}

function planMount(mount: OciMount, request: PlanRequest, facts: PlanFacts): PlannedMount {
  if (isBind(mount)) return planBind(mount, request, facts);
  if (mount.type !== undefined && OF_THE_GUEST.includes(mount.type)) return { mount };
  const type = mount.type === undefined ? 'of no type' : `of type ${mount.type}`;
  const message = `mount ${mount.destination} ${type} cannot enter the VM; remove it from config.json`;
  throw new Fault('unsupported', message, { fields: { destination: mount.destination } });
}

/** The runtime specification lets either say it; a bind option makes any type a bind, as mount(8) has it. */
const isBind = (mount: OciMount): boolean =>
  mount.type === 'bind' || (mount.options ?? []).some((option) => option === 'bind' || option === 'rbind');

function planBind(mount: OciMount, request: PlanRequest, facts: PlanFacts): PlannedMount {
  const source = mount.source ?? '';
  const isVolume =
    facts.volumes.some(({ attachment }) => attachment.targetPath === source) ||
    facts.mounts.get(source)?.source.startsWith('berth:') === true ||
    request.volumes.some(({ targetPath }) => targetPath === source);
  if (!isVolume) {
    const message =
      `mount ${mount.destination} binds ${source || 'nothing'} of the host, which is no volume of berth and cannot ` +
      'enter the VM; use a volume or remove it from config.json';
    throw new Fault('unsupported', message, { fields: { destination: mount.destination, source } });
  }
  checkContainerPath(mount.destination);
  const volume = findVolume(source, request, facts);
  const others = (mount.options ?? []).filter((option) => !['bind', 'rbind', 'ro', 'rw'].includes(option));
  const readOnly = isPublishedReadOnly(volume) || (mount.options ?? []).includes('ro');
  return {
    mount: {
      destination: mount.destination,
      type: 'bind',
      source: guestVolumePath(volume.spec.serial),
      options: [...others, 'rbind', readOnly ? 'ro' : 'rw'],
    },
    use: { facts: volume, containerPath: mount.destination, readOnly },
  };
}

function checkPlaces(uses: readonly VolumeUse[]): void {
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

/** Host paths whose topmost mount the planner must know: whatever the container would see of the host. */
export function volumeTargets({ spec, volumes }: Pick<PlanRequest, 'spec' | 'volumes'>): readonly string[] {
  const binds = (spec.mounts ?? []).filter(isBind).flatMap(({ source }) => (source === undefined ? [] : [source]));
  return [...new Set([...volumes.map(({ targetPath }) => targetPath), ...binds])];
}
