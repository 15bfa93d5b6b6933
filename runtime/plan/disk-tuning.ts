import { Fault } from '../../proto/fault.ts';
import { DEFAULT_CLASS } from '../../proto/volume-class.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import type { DiskTuning, VmmCapabilities } from '../vmm/port.ts';

/** How the VMM is to work a volume's disk, by the volume's class. Throws `unsupported` for what it cannot. */
export function planTuning({ volumeId, class: wanted }: VolumeSpec, vcpus: number, vmm: VmmCapabilities): DiskTuning {
  const { cache, aio, iothread } = wanted;
  if (aio === 'io_uring' && !vmm.ioUring) {
    const message =
      `volume ${volumeId}: its class asks for aio io_uring, which ${vmm.version} cannot use on this host; ` +
      'use a class with aio threads, or allow it (kernel.io_uring_disabled=0, a QEMU that is built with it)';
    throw new Fault('unsupported', message, { fields: { volumeId, aio } });
  }
  // A virtual CPU has use for one queue.
  const queues = wanted.queues === 0 ? vcpus : Math.min(wanted.queues, vcpus);
  // Blocks that were reserved for the volume stay its own.
  const discard = wanted.discard && wanted.provisioning === 'thin';
  return { cache, aio, queues, iothread, discard };
}

/** What is not as by default, for the reason of the choice; empty if everything is. */
export function describeTuning({ class: wanted, limits }: VolumeSpec, { queues, discard }: DiskTuning): string {
  const words = [
    wanted.cache === DEFAULT_CLASS.cache ? '' : `cache ${wanted.cache}`,
    wanted.aio === DEFAULT_CLASS.aio ? '' : `aio ${wanted.aio}`,
    wanted.queues === 0 ? '' : `${queues} queues`,
    wanted.iothread ? 'a thread of its own' : '',
    discard ? '' : 'no discard',
    limits.iops === 0 ? '' : `at most ${limits.iops} operations/s`,
    limits.bandwidthBytes === 0 ? '' : `at most ${limits.bandwidthBytes} bytes/s`,
  ].filter((word) => word !== '');
  return words.length === 0 ? '' : `; by its class: ${words.join(', ')}`;
}
