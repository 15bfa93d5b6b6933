import { placeholderSource, type VolumeAttachment } from '../../proto/volume-attachment.ts';
import { deviceTargets } from '../plan/devices.ts';
import { volumeTargets } from '../plan/mounts.ts';
import type { PlanFacts, PlanRequest } from '../plan/types.ts';
import { parseMountinfo, topmostMount } from '../system/mountinfo.ts';
import type { System } from '../system/port.ts';
import type { SandboxHost } from './host.ts';

type Paths = Pick<PlanFacts, 'mounts' | 'devices'>;
type Asked = Pick<PlanRequest, 'containers'>;

/** What stands at the host's paths that a request names. They may lead through symbolic links; mountinfo has none. */
export async function readPaths(host: Pick<SandboxHost, 'system' | 'locate'>, request: Asked): Promise<Paths> {
  const table = parseMountinfo(await readText(host.system, '/proc/self/mountinfo'));
  const mountAt = (path: string) => topmostMount(table, host.locate(path)?.canonicalPath ?? path);
  return {
    mounts: new Map(volumeTargets(request).map((path) => [path, mountAt(path)])),
    devices: new Map(deviceTargets(request).map((path) => [path, host.locate(path)?.device])),
  };
}

/** Whether the request may mean this publication: by a path, or by a device's number. */
export function isAskedFor({ containers }: Asked, paths: Paths, attachment: VolumeAttachment): boolean {
  const { device } = attachment;
  if (isAtPath(paths, attachment)) return true;
  const devices = containers.flatMap(({ spec }) => spec.linux?.devices ?? []);
  return devices.some(
    ({ type, major, minor }) =>
      device !== undefined && type === 'b' && major === device.major && minor === device.minor,
  );
}

/** Whether the publication is at one of the paths, or what is mounted there is of its volume. */
export function isAtPath({ mounts, devices }: Paths, { targetPath, volumeId }: VolumeAttachment): boolean {
  const source = placeholderSource(volumeId);
  return (
    mounts.has(targetPath) || devices.has(targetPath) || [...mounts.values()].some((mount) => mount?.source === source)
  );
}

/** Whether each of the paths has a publication among these that explains it, so that no other record can matter. */
export function areAllFound(request: Asked, { mounts }: Paths, attachments: readonly VolumeAttachment[]): boolean {
  const volumes = request.containers.flatMap((container) => container.volumes);
  const isPlaceholder = (path: string) => mounts.get(path)?.source.startsWith(placeholderSource('')) === true;
  const asked = [...volumes.map(({ targetPath }) => targetPath), ...[...mounts.keys()].filter(isPlaceholder)];
  return asked.every((path) =>
    attachments.some(
      ({ targetPath, volumeId }) => targetPath === path || mounts.get(path)?.source === placeholderSource(volumeId),
    ),
  );
}

export async function readText(system: System, path: string): Promise<string> {
  return new TextDecoder().decode((await system.readFile(path)) ?? new Uint8Array(0));
}
