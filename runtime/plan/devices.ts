import type { AgentDevice } from '../../proto/agent.ts';
import type { OciDevice, OciSpec } from './oci-spec.ts';
import type { ContainerRequest, DeviceNumber, PlanFacts, PlanRequest, VolumeFacts, VolumePlace } from './types.ts';
import { checkContainerPath, findDevice, isPublishedReadOnly, type VolumeUse } from './volume-use.ts';

type Numbered = Pick<OciDevice, 'type' | 'major' | 'minor'>;

export interface DevicesPlan {
  readonly uses: readonly VolumeUse[];
  readonly devices: readonly AgentDevice[];
}

/** Volumes as device nodes: those that are asked for by their target, and those that config.json names by number. */
export function planDevices(container: ContainerRequest, request: PlanRequest, facts: PlanFacts): DevicesPlan {
  const { id, spec, volumes } = container;
  const asked = volumes
    .filter(({ isDevice }) => isDevice)
    .map(({ targetPath, containerPath, readOnly }) => {
      const volume = findDevice(targetPath, request, facts);
      return toUse(volume, { containerId: id, containerPath }, readOnly);
    });
  const named = (spec.linux?.devices ?? []).flatMap((device) => {
    const volume = findNumbered(device, request, facts);
    if (volume === undefined) return [];
    return [toUse(volume, { containerId: id, containerPath: device.path }, !mayWrite(spec, device))];
  });
  const uses = [...asked, ...named];
  const devices = uses.map(({ facts: { spec }, containerPath, readOnly }) => ({
    serial: spec.serial,
    path: containerPath,
    readOnly,
  }));
  return { uses, devices };
}

function toUse(volume: VolumeFacts, place: VolumePlace, isAskedReadOnly: boolean): VolumeUse {
  checkContainerPath(place.containerPath);
  const readOnly = isAskedReadOnly || isPublishedReadOnly(volume);
  return { ...place, facts: volume, readOnly, isDevice: true };
}

/** The pod's own volume of which the device is the placeholder: of other pods none, for numbers are soon used again. */
function findNumbered(
  device: OciDevice,
  { podUid }: Pick<PlanRequest, 'podUid'>,
  { volumes }: Pick<PlanFacts, 'volumes'>,
): VolumeFacts | undefined {
  return volumes.find(
    ({ attachment }) =>
      attachment.podUid === podUid && attachment.device !== undefined && isBlock(device, attachment.device),
  );
}

const isBlock = (device: Numbered, { major, minor }: DeviceNumber): boolean =>
  device.type === 'b' && device.major === major && device.minor === minor;

/** Kubernetes says of a device that is read-only by the rule of its cgroup alone. */
function mayWrite({ linux }: OciSpec, { major = -1, minor = -1 }: OciDevice): boolean {
  const rules = (linux?.resources?.devices ?? []).filter((rule) => rule.allow && isBlock(rule, { major, minor }));
  return rules.length === 0 || rules.some(({ access = '' }) => access.includes('w'));
}

/** The spec without the placeholders, whose numbers mean other devices in the guest. What is left is not of berth. */
export function withoutPlaceholders(spec: OciSpec, volumes: readonly VolumeFacts[]): OciSpec {
  const { linux } = spec;
  if (linux === undefined) return spec;
  const isOther = (device: Numbered): boolean =>
    !volumes.some(({ attachment }) => attachment.device !== undefined && isBlock(device, attachment.device));
  const { devices, resources } = linux;
  return {
    ...spec,
    linux: {
      ...linux,
      ...(devices === undefined ? {} : { devices: devices.filter(isOther) }),
      ...(resources?.devices === undefined
        ? {}
        : { resources: { ...resources, devices: resources.devices.filter(isOther) } }),
    },
  };
}

/** Host paths at which a device node is expected. */
export const deviceTargets = ({ containers }: Pick<PlanRequest, 'containers'>): readonly string[] => [
  ...new Set(
    containers.flatMap(({ volumes }) => volumes.filter(({ isDevice }) => isDevice).map(({ targetPath }) => targetPath)),
  ),
];
