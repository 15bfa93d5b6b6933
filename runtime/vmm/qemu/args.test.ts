import { describe, expect, it } from 'vitest';
import type { VmSpec } from '../port.ts';
import { planArgs } from './args.ts';
import { planDescriptors } from './descriptors.ts';

const spec: VmSpec = {
  name: 'box',
  vcpus: 1,
  memoryMib: 256,
  accelerator: 'tcg',
  kernel: '/guest/vmlinux',
  initrd: '/guest/initrd',
  kernelParameters: ['console=ttyS0', 'quiet'],
  disks: [
    { id: 'root', transport: 'virtio-blk', path: '/guest/root.erofs', serial: 'berth-root', readOnly: true },
    { id: 'disk-v', transport: 'virtio-blk', path: '/pool/v/image.raw', serial: 'v', readOnly: false },
  ],
  nics: [
    {
      id: 'nic0',
      device: { kind: 'tap', name: 'tap0', ifIndex: 3, queues: 1, isMultiQueue: false },
      mac: '02:00:00:00:00:01',
      mtu: 1450,
    },
  ],
  shares: [{ id: 'rootfs', transport: '9p', tag: 'rootfs', path: '/bundle/rootfs' }],
  ports: [{ name: 'berth.control', socket: '/run/pod/control.sock' }],
  controlSocket: '/run/pod/qmp.sock',
  console: '/run/pod/console.log',
};

const plan = (spec: VmSpec): readonly string[] => planArgs(spec, planDescriptors(spec, 1));
/** The value behind an option, of which the machine has one. */
const valueBehind = (args: readonly string[], name: string): string | undefined => args[args.indexOf(name) + 1];

describe('planArgs', () => {
  it('is this command line', () => {
    expect(
      plan(spec)
        .join('\n')
        .replaceAll(/\n(?!-)/g, ' ')
        .split('\n'),
    ).toEqual([
      '-name guest=box',
      '-machine q35,sata=off,smbus=off,vmport=off,dump-guest-core=off',
      '-accel tcg,thread=single,tb-size=64',
      '-cpu max',
      '-smp cpus=1',
      '-m size=256M',
      '-nodefaults',
      '-no-user-config',
      '-display none',
      '-no-reboot',
      '-kernel /guest/kernel',
      '-initrd /guest/initrd',
      '-append console=ttyS0 quiet',
      '-add-fd fd=5,set=5',
      '-chardev file,id=console,path=/dev/fdset/5',
      '-serial chardev:console',
      '-chardev socket,id=qmp,fd=3,server=on,wait=off',
      '-mon chardev=qmp,mode=control',
      '-device virtio-serial-pci,id=ports',
      '-chardev socket,id=port0,fd=4,server=on,wait=off',
      '-device virtserialport,bus=ports.0,chardev=port0,name=berth.control',
      '-add-fd fd=6,set=6',
      '-blockdev driver=raw,node-name=root,read-only=on,discard=ignore,cache.direct=off,cache.no-flush=off,' +
        'file.driver=file,file.filename=/dev/fdset/6,file.aio=threads,file.locking=on',
      '-device virtio-blk-pci,id=root-device,drive=root,serial=berth-root,num-queues=1,discard=off,' +
        'werror=enospc,rerror=report',
      '-add-fd fd=7,set=7',
      '-blockdev driver=raw,node-name=disk-v,read-only=off,discard=ignore,cache.direct=off,cache.no-flush=off,' +
        'file.driver=file,file.filename=/dev/fdset/7,file.aio=threads,file.locking=on',
      '-device virtio-blk-pci,id=disk-v-device,drive=disk-v,serial=v,num-queues=1,discard=off,werror=enospc,rerror=report',
      '-netdev tap,id=nic0,fd=9,vhost=off',
      '-device virtio-net-pci,id=nic0-device,netdev=nic0,mac=02:00:00:00:00:01,host_mtu=1450,romfile=',
      '-fsdev local,id=rootfs,path=/share/rootfs,security_model=none,readonly=on,multidevs=remap',
      '-device virtio-9p-pci,id=rootfs-device,fsdev=rootfs,mount_tag=rootfs',
      '-device virtio-rng-pci',
      '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    ]);
  });

  it('emulates several processors in as many threads, and leaves KVM alone', () => {
    expect(valueBehind(plan({ ...spec, vcpus: 2 }), '-accel')).toBe('tcg,thread=multi,tb-size=64');
    expect(valueBehind(plan({ ...spec, accelerator: 'kvm' }), '-accel')).toBe('kvm');
  });

  it('gives a NIC a descriptor for each of its queues, one NIC after the other', () => {
    const nics = [3, 1, 2].map((queues, index) => ({
      id: `nic${index}`,
      device: { kind: 'tap', name: `tap${index}`, ifIndex: index, queues, isMultiQueue: true } as const,
      mac: `02:00:00:00:00:0${index}`,
      mtu: 1500,
    }));
    const shown = plan({ ...spec, nics }).filter((arg) => arg.startsWith('tap,') || arg.startsWith('virtio-net'));
    const device = (index: number) =>
      `virtio-net-pci,id=nic${index}-device,netdev=nic${index},mac=02:00:00:00:00:0${index},host_mtu=1500,romfile=`;
    expect(shown).toEqual([
      ...['tap,id=nic0,fds=9:10:11,vhost=off', `${device(0)},mq=on,vectors=8`],
      ...['tap,id=nic1,fd=12,vhost=off', device(1)],
      ...['tap,id=nic2,fds=13:14,vhost=off', `${device(2)},mq=on,vectors=6`],
    ]);
  });

  it('lets no name add a property', () => {
    const share = { id: 'rootfs', transport: '9p', tag: 'a,readonly=off', path: '/bundle/rootfs' } as const;
    expect(plan({ ...spec, shares: [share] })).toContain(
      'virtio-9p-pci,id=rootfs-device,fsdev=rootfs,mount_tag=a,,readonly=off',
    );
  });

  it('names no file of the host', () => {
    expect(plan(spec).join(' ')).not.toMatch(/\/(run|pool|bundle)\//);
  });

  it('never shares a writable image and never probes a format', () => {
    const line = plan(spec).join(' ');
    expect(line).not.toMatch(/share-rw|force-share|locking=off|format=|-drive/);
  });
});
