import { placeholderSource, type VolumeAttachment } from '../../proto/volume-attachment.ts';
import { deviceTargets } from '../plan/devices.ts';
import { volumeTargets } from '../plan/mounts.ts';
import type { PlanFacts, PlanRequest } from '../plan/types.ts';
import { parseMountinfo, topmostMount } from '../system/mountinfo.ts';
import type { System } from '../system/port.ts';
import type { SandboxHost } from './host.ts';

type Paths = Pick<PlanFacts, 'mounts' | 'devices'>;
type Asked = Pick<PlanRequest, 'spec' | 'volumes'>;

/** What stands at the host's paths that a request names. They may lead through symbolic links; mountinfo has none. */
export async function readPaths(host: Pick<SandboxHost, 'system' | 'locate'>, request: Asked): Promise<Paths> {
  const table = parseMountinfo(await readText(host.system, '/proc/self/mountinfo'));
  const mountAt = (path: string) => topmostMount(table, host.locate(path)?.canonicalPath ?? path);
  return {
    mounts: new Map(volumeTargets(request).map((path) => [path, mountAt(path)])),
    devices: new Map(deviceTargets(request).map((path) => [path, host.locate(path)?.device])),
  };
}

/** Whether the request may mean this publication: by its path, by what is mounted, or by a device's number. */
export function isAskedFor(request: Asked, { mounts, devices }: Paths, attachment: VolumeAttachment): boolean {
  const { targetPath, volumeId, device } = attachment;
  if (mounts.has(targetPath) || devices.has(targetPath)) return true;
  const source = placeholderSource(volumeId);
  if ([...mounts.values()].some((mount) => mount?.source === source)) return true;
  return (request.spec.linux?.devices ?? []).some(
    ({ type, major, minor }) =>
      device !== undefined && type === 'b' && major === device.major && minor === device.minor,
  );
}

/** Whether each of the paths has a publication among these that explains it, so that no other record can matter. */
export function areAllFound({ volumes }: Asked, { mounts }: Paths, attachments: readonly VolumeAttachment[]): boolean {
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
