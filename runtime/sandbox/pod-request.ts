import { ACCELERATOR_WISHES, type AcceleratorWish } from '../../proto/accelerator.ts';
import { Fault } from '../../proto/fault.ts';
import { type ContainerId, type PodUid, parseContainerId, parsePodUid, type SandboxId } from '../../proto/ids.ts';
import type { RunPaths } from '../../proto/paths.ts';
import type { CreateContainer, CreatePod } from '../../proto/shim.ts';
import { NO_POD } from '../../proto/volume-attachment.ts';
import { deviceTargets } from '../plan/devices.ts';
import { volumeTargets } from '../plan/mounts.ts';
import { type OciSpec, parseOciSpec } from '../plan/oci-spec.ts';
import type { ContainerRequest, PlanRequest } from '../plan/types.ts';
import type { System } from '../system/port.ts';
import type { SandboxHost } from './host.ts';
import { isAtPath, readPaths } from './host-paths.ts';
import { readAttachments } from './published-volumes.ts';

/** The request of the wire, checked for shape, with each bundle's config.json. Throws `invalid` naming the field. */
export async function readPodRequest(
  host: Pick<SandboxHost, 'system' | 'locate'>,
  run: RunPaths,
  id: SandboxId,
  request: CreatePod,
): Promise<PlanRequest> {
  absolute('guest_directory', request.guestDirectory);
  if (request.netnsPath !== '') absolute('netns_path', request.netnsPath);
  const declared = parseContainers(request.containers);
  const containers = await Promise.all(
    declared.map(async (container) => ({ ...container, spec: await readSpec(host.system, container.bundle) })),
  );
  return {
    id,
    podUid: await findPodUid(host, run, id, { podUid: request.podUid, containers }),
    netnsPath: request.netnsPath,
    containers,
    memoryMib: request.memoryMib,
    vcpus: request.vcpus,
    accelerator: parseAccelerator(request.accelerator),
  };
}

/** A pod without an API server has the name that its volumes were published under, else its own. */
async function findPodUid(
  host: Pick<SandboxHost, 'system' | 'locate'>,
  run: RunPaths,
  id: SandboxId,
  request: Pick<PlanRequest, 'containers'> & { readonly podUid: string },
): Promise<PodUid> {
  if (request.podUid !== '') return parsePodUid(request.podUid, 'pod_uid');
  const targets = [...volumeTargets(request), ...deviceTargets(request)];
  if (targets.length === 0) return parsePodUid(id);
  const paths = await readPaths(host, request);
  const { attachments } = await readAttachments(host.system, run, (one) => isAtPath(paths, one));
  const named = attachments.filter(({ podUid }) => podUid !== NO_POD);
  // The same volume may be published for others too, with other rights: who published the very path comes first.
  const exact = named.find(({ targetPath }) => targets.includes(targetPath));
  return (exact ?? named[0])?.podUid ?? parsePodUid(id);
}

function parseContainers(containers: readonly CreateContainer[]): readonly Omit<ContainerRequest, 'spec'>[] {
  if (containers.length === 0) {
    throw new Fault('invalid', 'containers is empty, but a pod has at least one', { fields: { field: 'containers' } });
  }
  const ids = new Set<ContainerId>();
  return containers.map(({ bundle, volumes, ...container }) => {
    const id = parseContainerId(container.id, 'containers.id');
    if (ids.has(id)) {
      const message = `two containers have the id ${id}; give each one of its own`;
      throw new Fault('invalid', message, { fields: { field: 'containers.id' } });
    }
    ids.add(id);
    for (const { targetPath } of volumes) absolute('containers.volumes.target_path', targetPath);
    return { id, bundle: absolute('containers.bundle', bundle), volumes };
  });
}

async function readSpec(system: System, bundle: string): Promise<OciSpec> {
  const path = `${bundle}/config.json`;
  const bytes = await system.readFile(path);
  if (bytes === undefined) throw new Fault('not-found', `${bundle} is no OCI bundle: there is no ${path}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new Fault('malformed', `${path} is not JSON`, { cause });
  }
  return parseOciSpec(value, path);
}

export function absolute(field: string, path: string): string {
  if (path.startsWith('/')) return path;
  throw new Fault('invalid', `${field} is ${JSON.stringify(path)}, but must be an absolute path`, {
    fields: { field },
  });
}

/** Empty is `auto`. */
export function parseAccelerator(value: string): AcceleratorWish {
  const known = ACCELERATOR_WISHES.find((one) => one === (value || 'auto'));
  if (known !== undefined) return known;
  const message = `accelerator is ${JSON.stringify(value)}, but must be one of ${ACCELERATOR_WISHES.join(', ')}`;
  throw new Fault('invalid', message, { fields: { field: 'accelerator' } });
}
