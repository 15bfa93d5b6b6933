import { CONTROL_PORT, STDIO_PORT } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { ROOT_SERIAL } from '../../proto/guest-layout.ts';
import type { PodPaths } from '../../proto/paths.ts';
import type { Disk, Nic, Share, VmSpec } from '../vmm/port.ts';
import { planKernelParameters } from './kernel-parameters.ts';
import type { PlanFacts, PlanRequest } from './types.ts';

/** Below it the guest's kernel and its initrd leave nothing for a container. */
const MIN_MEMORY_MIB = 128;
/** Above it x86 needs an interrupt-remapping IOMMU. */
const MAX_VCPUS = 255;
/** Free places on the root bus; virtio-serial and virtio-rng take two of them in every VM. */
const BUS_PLACES = 30;
const OWN_DEVICES = 2;
/** sizeof sun_path, less the final NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

interface Devices {
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
  readonly shares: readonly Share[];
}

/** What a VM is, whatever it is for. */
type Machine = Pick<PlanRequest, 'id' | 'vcpus' | 'memoryMib'>;
/** What the host offers for one. */
export type MachineFacts = Pick<PlanFacts, 'guest' | 'capabilities' | 'accelerator' | 'paths' | 'tscKhz' | 'trace'>;

export function planVm(request: Machine, facts: MachineFacts, devices: Devices): VmSpec {
  checkSize(request);
  checkAccelerator(facts);
  checkSockets(facts.paths);
  const { manifest, directory } = facts.guest;
  const root: Disk = {
    id: 'root',
    transport: 'virtio-blk',
    path: `${directory}/${manifest.root.file}`,
    serial: ROOT_SERIAL,
    readOnly: true,
  };
  const disks = [root, ...devices.disks];
  checkPlaces({ ...devices, disks });
  return {
    name: request.id,
    vcpus: request.vcpus,
    memoryMib: request.memoryMib,
    accelerator: facts.accelerator.chosen,
    kernel: `${directory}/${manifest.kernel.file}`,
    initrd: `${directory}/${manifest.initrd.file}`,
    kernelParameters: planKernelParameters(facts),
    ...devices,
    disks,
    ports: [
      { name: CONTROL_PORT, socket: facts.paths.controlSocket },
      { name: STDIO_PORT, socket: facts.paths.stdioSocket },
    ],
    controlSocket: facts.paths.qmpSocket,
    console: facts.paths.console,
  };
}

function checkSize({ vcpus, memoryMib }: Machine): void {
  if (!Number.isSafeInteger(memoryMib) || memoryMib < MIN_MEMORY_MIB) {
    const message = `memory is ${memoryMib} MiB, but a pod VM needs a whole number of at least ${MIN_MEMORY_MIB} MiB`;
    throw new Fault('invalid', message, { fields: { field: 'memoryMib', limit: MIN_MEMORY_MIB } });
  }
  if (!Number.isSafeInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS) {
    const message = `vcpus is ${vcpus}, but a pod VM has a whole number of 1 to ${MAX_VCPUS}`;
    throw new Fault('invalid', message, { fields: { field: 'vcpus', limit: MAX_VCPUS } });
  }
}

function checkAccelerator({ accelerator, capabilities }: MachineFacts): void {
  const { chosen } = accelerator;
  if (capabilities.accelerators.includes(chosen)) return;
  const offered = capabilities.accelerators.join(', ') || 'none';
  const message = `accelerator ${chosen} is not to be had on this host; it offers: ${offered}`;
  throw new Fault('unsupported', message, { fields: { accelerator: chosen } });
}

function checkSockets(paths: PodPaths): void {
  for (const path of [paths.qmpSocket, paths.controlSocket, paths.stdioSocket]) {
    const length = new TextEncoder().encode(path).length;
    if (length <= MAX_SOCKET_PATH_BYTES) continue;
    const message =
      `${path} has ${length} bytes, but a socket's path has at most ${MAX_SOCKET_PATH_BYTES}; ` +
      'use a shorter sandbox id or run directory';
    throw new Fault('invalid', message, { fields: { path, limit: MAX_SOCKET_PATH_BYTES } });
  }
}

function checkPlaces({ disks, nics, shares }: Devices): void {
  const wanted = disks.length + nics.length + shares.length + OWN_DEVICES;
  if (wanted <= BUS_PLACES) return;
  const message =
    `the pod needs ${wanted} devices (${disks.length} disks, ${nics.length} NICs, ${shares.length} container roots), ` +
    `but its VM has ${BUS_PLACES} places; use fewer volumes, interfaces or containers`;
  throw new Fault('exhausted', message, { fields: { wanted, limit: BUS_PLACES } });
}
