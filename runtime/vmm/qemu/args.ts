import { JAIL } from '../jail/layout.ts';
import type { Share, VmSpec } from '../port.ts';
import type { Descriptors } from './descriptors.ts';
import { diskArgs } from './disk-args.ts';
import { option } from './option.ts';

/** Most that the emulator keeps of translated code; its default of 1 GiB is charged to a guest that runs long. */
const TRANSLATION_CACHE_MIB = 64;

/**
 * Command line of QEMU 7.2 and later for a VM. ACPI hot-plug, q35's default, stays on. What a pod VM has no use for is
 * left out (SATA, SMBus, VMware port, guest memory in core dumps), and QEMU may not gain rights or start programs. No
 * path is one of the host: what QEMU opens, it was handed, or finds in its jail.
 */
export function planArgs(spec: VmSpec, descriptors: Descriptors): readonly string[] {
  return [
    ...machine(spec),
    ...boot(spec, descriptors),
    ...['-chardev', option('socket', { id: 'qmp', fd: descriptors.control, server: true, wait: false })],
    ...['-mon', option('', { chardev: 'qmp', mode: 'control' })],
    ...ports(descriptors),
    ...descriptors.disks.flatMap(({ disk, fd }) => handed(fd, (file) => diskArgs(disk, file))),
    ...descriptors.taps.flatMap(nic),
    ...spec.shares.flatMap(share),
    ...['-device', 'virtio-rng-pci'],
    ...[
      '-sandbox',
      option('on', { obsolete: 'deny', elevateprivileges: 'deny', spawn: 'deny', resourcecontrol: 'deny' }),
    ],
  ];
}

function machine(spec: VmSpec): string[] {
  return [
    ...['-name', option('', { guest: spec.name })],
    ...['-machine', option('q35', { sata: false, smbus: false, vmport: false, 'dump-guest-core': false })],
    ...['-accel', accelerator(spec)],
    ...['-cpu', 'max'],
    ...['-smp', option('', { cpus: spec.vcpus })],
    ...['-m', option('', { size: `${spec.memoryMib}M` })],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
  ];
}

function accelerator({ accelerator, vcpus }: VmSpec): string {
  if (accelerator !== 'tcg') return accelerator;
  return option('tcg', { thread: vcpus === 1 ? 'single' : 'multi', 'tb-size': TRANSLATION_CACHE_MIB });
}

function boot(spec: VmSpec, { console }: Descriptors): string[] {
  return [
    ...['-kernel', JAIL.kernel, '-initrd', JAIL.initrd, '-append', spec.kernelParameters.join(' ')],
    ...handed(console, (path) => ['-chardev', option('file', { id: 'console', path }), '-serial', 'chardev:console']),
  ];
}

/** What takes a file by its name, with the name of a descriptor. */
function handed(fd: number, args: (file: string) => readonly string[]): string[] {
  return ['-add-fd', option('', { fd, set: fd }), ...args(`/dev/fdset/${fd}`)];
}

function ports(descriptors: Descriptors): string[] {
  const each = descriptors.ports.flatMap(({ port: { name }, fd }, index) => {
    const id = `port${index}`;
    return [
      ...['-chardev', option('socket', { id, fd, server: true, wait: false })],
      ...['-device', option('virtserialport', { bus: 'ports.0', chardev: id, name })],
    ];
  });
  return ['-device', option('virtio-serial-pci', { id: 'ports' }), ...each];
}

/** Without an option ROM: nothing boots from the network. An interrupt for each queue of a pair, and two beside. */
function nic({ nic: { id, mac, mtu }, fds }: Descriptors['taps'][number]): string[] {
  const [fd = -1, ...more] = fds;
  const isSingle = more.length === 0;
  const device = { id: `${id}-device`, netdev: id, mac, host_mtu: mtu, romfile: '' };
  return [
    ...['-netdev', option('tap', { id, ...(isSingle ? { fd } : { fds: fds.join(':') }), vhost: false })],
    ...[
      '-device',
      option('virtio-net-pci', { ...device, ...(isSingle ? {} : { mq: true, vectors: 2 * fds.length + 2 }) }),
    ],
  ];
}

/** A root may span several file systems of the host: their inode numbers are kept apart. */
function share({ id, tag }: Share): string[] {
  return [
    ...[
      '-fsdev',
      option('local', { id, path: JAIL.share(id), security_model: 'none', readonly: true, multidevs: 'remap' }),
    ],
    ...['-device', option('virtio-9p-pci', { id: `${id}-device`, fsdev: id, mount_tag: tag })],
  ];
}
