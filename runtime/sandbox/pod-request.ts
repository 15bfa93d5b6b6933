import { ACCELERATOR_WISHES, type AcceleratorWish } from '../../proto/accelerator.ts';
import { Fault } from '../../proto/fault.ts';
import { type PodUid, parsePodUid, type SandboxId } from '../../proto/ids.ts';
import type { RunPaths } from '../../proto/paths.ts';
import type { CreatePod } from '../../proto/shim.ts';
import { NO_POD } from '../../proto/volume-attachment.ts';
import { type OciSpec, parseOciSpec } from '../plan/oci-spec.ts';
import type { PlanRequest } from '../plan/types.ts';
import type { System } from '../system/port.ts';
import type { SandboxHost } from './host.ts';
import { isAskedFor, readPaths } from './host-paths.ts';
import { readAttachments } from './published-volumes.ts';

/** The request of the wire, checked for shape, with the bundle's config.json. Throws `invalid` naming the field. */
export async function readPodRequest(
  host: Pick<SandboxHost, 'system' | 'locate'>,
  run: RunPaths,
  id: SandboxId,
  request: CreatePod,
): Promise<PlanRequest> {
  const bundle = absolute('bundle', request.bundle);
  absolute('guest_directory', request.guestDirectory);
  if (request.netnsPath !== '') absolute('netns_path', request.netnsPath);
  for (const volume of request.volumes) absolute('volumes.target_path', volume.targetPath);
  const spec = await readSpec(host.system, bundle);
  return {
    id,
    podUid: await findPodUid(host, run, id, { ...request, spec }),
    bundle,
    netnsPath: request.netnsPath,
    spec,
    volumes: request.volumes,
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
  request: Pick<PlanRequest, 'spec' | 'volumes'> & { readonly podUid: string },
): Promise<PodUid> {
  if (request.podUid !== '') return parsePodUid(request.podUid, 'pod_uid');
  if (request.volumes.length === 0) return parsePodUid(id);
  const paths = await readPaths(host, request);
  const { attachments } = await readAttachments(host.system, run, (one) => isAskedFor(request, paths, one));
  const named = attachments.filter(({ podUid }) => podUid !== NO_POD);
  // The same volume may be published for others too, with other rights: who published the very path comes first.
  const exact = named.find(({ targetPath }) => request.volumes.some((volume) => volume.targetPath === targetPath));
  return (exact ?? named[0])?.podUid ?? parsePodUid(id);
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
