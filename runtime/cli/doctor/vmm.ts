import { existsSync } from 'node:fs';
import { describeError } from '../../../proto/fault.ts';
import { type HostProbe, hostProbeRecord } from '../../../proto/host-probe.ts';
import { runPaths } from '../../../proto/paths.ts';
import { exec } from '../../system/node/exec.ts';
import type { Finding } from './finding.ts';

const VHOST_NET = '/dev/vhost-net';

export interface VmmPlaces {
  readonly shim: string;
  /** Undefined: the first of the PATH. */
  readonly qemu: string | undefined;
  /** Undefined: the guest image is not whole, and nothing is booted. */
  readonly guestDirectory: string | undefined;
  readonly runDirectory: string;
}

/** By the shim itself, so that what is said is what a pod would meet. */
export async function examineVmm({ shim, qemu, guestDirectory, runDirectory }: VmmPlaces): Promise<Finding[]> {
  const args = [
    ...(qemu === undefined ? [] : ['-qemu', qemu]),
    ...(guestDirectory === undefined ? [] : ['-guest', guestDirectory]),
    ...['-run-dir', runDirectory, 'probe'],
  ];
  try {
    const probe = hostProbeRecord.decode(await exec(shim, args), `${shim} probe`);
    return [...judgeProbe(probe, runPaths(runDirectory).accelerator), examineVhostNet()];
  } catch (error) {
    const what = describeError(error);
    const mend = what.includes('apt-get') ? 'apt-get install qemu-system-x86' : 'berth version';
    return [{ area: 'vmm', status: 'missing', what, mend }, examineVhostNet()];
  }
}

export function judgeProbe({ vmm, accelerator }: HostProbe, recordPath: string): Finding[] {
  const { version, virtioBlk, nineP } = vmm;
  const needed: readonly (readonly [boolean, string, string])[] = [
    [virtioBlk, 'virtio-blk', 'volumes'],
    [nineP, 'virtio-9p', "containers' roots"],
  ];
  return [
    { area: 'vmm', status: 'ok', what: version },
    { area: 'vmm', status: 'ok', what: 'isolation: it answered as a user of its own, in a root of its own' },
    ...needed.map(
      ([has, device, purpose]): Finding =>
        has
          ? { area: 'vmm', status: 'ok', what: `${device}, for ${purpose}` }
          : {
              area: 'vmm',
              status: 'missing',
              what: `${version} has no ${device}, which ${purpose} need`,
              mend: 'apt-get install qemu-system-x86',
            },
    ),
    ...(accelerator === undefined ? [] : [judgeAccelerator(accelerator, recordPath)]),
  ];
}

function judgeAccelerator({ chosen, reason }: NonNullable<HostProbe['accelerator']>, recordPath: string): Finding {
  if (chosen === 'kvm') return { area: 'vmm', status: 'ok', what: `KVM: ${reason}` };
  return {
    area: 'vmm',
    status: 'note',
    what: `pods are emulated (TCG), and slow: ${reason}`,
    mend: `give the host (nested) virtualisation; then rm -f ${recordPath}, and it is tried again`,
  };
}

function examineVhostNet(): Finding {
  if (existsSync(VHOST_NET)) return { area: 'vmm', status: 'ok', what: VHOST_NET };
  return {
    area: 'vmm',
    status: 'note',
    what: `there is no ${VHOST_NET}; berth does without`,
    mend: 'modprobe vhost_net',
  };
}
