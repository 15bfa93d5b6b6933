import { describeError, Fault } from '../../../proto/fault.ts';
import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import { silentLog } from '../../system/log.ts';
import { replaceFile } from '../../system/native/file.ts';
import { acquireLease } from '../../system/native/lease.ts';
import { spawnChild } from '../../system/native/process.ts';
import { isAlive } from '../../system/native/process-identity.ts';
import { O, S_IF, S_IFMT, SIG, sys } from '../../system/native/sys.ts';
import { createNativeSystem } from '../../system/native/system.ts';
import {
  expect,
  expectEqual,
  expectThrows,
  nativeProgram,
  nativeTest,
  testProgram,
} from '../../system/native/testing.ts';
import { findLink } from '../../system/netlink/link.ts';
import { openNetlink } from '../../system/netlink/socket.ts';
import { enterJail } from '../jail/enter-jail.ts';
import { parseJailRequest } from '../jail/request.ts';
import type { Disk, Nic, NicDevice, StartOptions, VmSpec } from '../port.ts';
import { createQemuDriver } from './driver.ts';

const system = createNativeSystem();
nativeProgram('jail', ([request = '', ...args]) => enterJail(parseJailRequest(request), args));
const driver = createQemuDriver({ system, log: silentLog, jail: testProgram('jail') });

/**
 * The smallest thing that QEMU takes for a Linux kernel: the boot protocol's header (Documentation/arch/x86/boot.rst)
 * around two instructions that halt for ever.
 */
function haltingKernel(): Uint8Array {
  const image = new Uint8Array(8192);
  image[0x1f1] = 1; // setup_sects
  image.set([0xeb, 0x6a], 0x200); // jmp 0x26c
  image.set(new TextEncoder().encode('HdrS'), 0x202);
  image.set([0x0c, 0x02], 0x206); // version 2.12
  image[0x211] = 1; // LOADED_HIGH
  image.set([0xff, 0xff, 0xff, 0x37], 0x22c); // initrd_addr_max
  image.set([0xf4, 0xeb, 0xfd], 0x26c); // hlt; jmp 0x26c
  return image;
}

function image(directory: string, name: string, mode = 0o600): string {
  const path = `${directory}/${name}`;
  replaceFile(path, new Uint8Array(1 << 20), { mode, durable: false });
  return path;
}

/** Made as CNI ADD would. */
async function addTap(name: string, queues = 1): Promise<NicDevice> {
  const isMultiQueue = queues > 1;
  const kinds = ['mode', 'tap', 'vnet_hdr', ...(isMultiQueue ? ['multi_queue'] : [])];
  const { code } = await spawnChild({ argv: ['ip', 'tuntap', 'add', name, ...kinds], fds: [-1, 2, 2] }).exited;
  expectEqual(code, 0);
  const netlink = openNetlink();
  const ifIndex = findLink(netlink, name)?.index ?? 0;
  netlink.close();
  return { kind: 'tap', name, ifIndex, queues, isMultiQueue };
}

const disk = (path: string, readOnly: boolean): Disk => ({
  id: 'disk-v',
  transport: 'virtio-blk',
  path,
  serial: 'v',
  readOnly,
});

/** A machine without a guest that says anything; its files are `<directory>/<name>.*`. */
function machine(directory: string, name: string, changes: Partial<VmSpec> = {}): VmSpec {
  replaceFile(`${directory}/kernel`, haltingKernel(), { mode: 0o644, durable: false });
  return {
    name,
    vcpus: 1,
    memoryMib: 128,
    accelerator: 'tcg',
    kernel: `${directory}/kernel`,
    initrd: image(directory, 'initrd', 0o644),
    kernelParameters: [],
    disks: [],
    nics: [],
    shares: [{ id: 'rootfs', transport: '9p', tag: 'rootfs', path: directory }],
    ports: [{ name: 'berth.control', socket: `${directory}/${name}.control` }],
    controlSocket: `${directory}/${name}.qmp`,
    console: `${directory}/${name}.console`,
    ...changes,
  };
}

const sockets = (directory: string): string[] =>
  sys.readdir(directory).filter((name) => ((sys.lstat(`${directory}/${name}`)?.mode ?? 0) & S_IFMT) === S_IF.SOCK);

const options = (directory: string, name: string): StartOptions => ({
  netns: undefined,
  held: [],
  log: `${directory}/${name}.log`,
  onProcess: async () => {},
});

const start = (directory: string, name: string, changes: Partial<VmSpec> = {}, held: readonly number[] = []) =>
  driver.start(machine(directory, name, changes), { ...options(directory, name), held });

nativeTest('QEMU: says itself what it can do', async () => {
  const { version, accelerators, virtioBlk, nineP } = await driver.probe();
  expect(/^QEMU \d+\.\d+\.\d+$/.test(version), `${version} names a version`);
  expect(accelerators.includes('tcg'), 'it can emulate');
  expectEqual([virtioBlk, nineP], [true, true]);
});

nativeTest('QEMU: one that is not installed is named with its package, by probe and by start', async (directory) => {
  const absent = createQemuDriver({ system, log: silentLog, binary: 'qemu-of-nobody' });
  for (const body of [() => absent.probe(), () => absent.start(machine(directory, 'vm'), options(directory, 'vm'))]) {
    const fault = await expectThrows('environment', body);
    const message = fault instanceof Error ? fault.message : '';
    expect(/qemu-of-nobody is not installed; apt-get install qemu-system-x86/.test(message), message);
  }
  expectEqual(sockets(directory), []);
});

nativeTest('QEMU: starts, serves its sockets, and is killed as often as one likes', async (directory) => {
  const vm = await start(directory, 'vm');
  expect(isAlive(vm.process), 'the process is the one that is named');
  expectEqual(await vm.disks(), []);
  (await system.connect(`${directory}/vm.control`)).close();
  await vm.kill();
  const { signal } = await vm.exited;
  expectEqual(signal, SIG.KILL);
  expect(!isAlive(vm.process), 'the process is gone');
  await vm.kill();
});

nativeTest('QEMU: a disk that runs grows with its image, and never shrinks', async (directory) => {
  const path = image(directory, 'own');
  const tuning = { cache: 'none', aio: 'native', queues: 1, iothread: true, discard: true } as const;
  const vm = await start(directory, 'vm', { disks: [{ ...disk(path, false), tuning }] });
  const status = { id: 'disk-v', sizeBytes: 1 << 20, isOutOfSpace: false };
  expectEqual(await vm.disks(), [status]);
  const grownBytes = 3 << 20;
  const fd = sys.open(path, O.RDWR);
  sys.ftruncate(fd, grownBytes);
  sys.close(fd);
  for (const sizeBytes of [grownBytes, grownBytes, 1 << 20]) {
    await vm.resizeDisk('disk-v', sizeBytes);
    expectEqual(await vm.disks(), [{ ...status, sizeBytes: grownBytes }]);
    expectEqual(sys.stat(path)?.size, grownBytes);
  }
  await vm.kill();
});

nativeTest('QEMU: a disk that runs takes limits, and is without them again', async (directory) => {
  const vm = await start(directory, 'vm', { disks: [disk(image(directory, 'own'), false)] });
  await vm.throttleDisk('disk-v', { iops: 100, bandwidthBytes: 1 << 20 });
  await vm.throttleDisk('disk-v', { iops: 0, bandwidthBytes: 0 });
  await expectThrows('exec', () => vm.throttleDisk('disk-w', { iops: 1, bandwidthBytes: 0 }));
  await vm.resume();
  await vm.kill();
});

nativeTest('QEMU: finds nothing deprecated in a machine with one of everything', async (directory) => {
  const [shared, own] = [image(directory, 'shared'), image(directory, 'own')];
  const nics: Nic[] = [];
  for (const queues of [1, 3]) {
    const device = await addTap(`berth-${queues}`, queues);
    nics.push({ id: `nic${queues}`, device, mac: `02:00:00:00:00:0${queues}`, mtu: 1450 });
  }
  const vm = await start(directory, 'vm', {
    disks: [disk(shared, true), { ...disk(own, false), id: 'own' }],
    nics,
  });
  await vm.kill();
  expectEqual((await vm.exited).lastWords, '');
});

nativeTest('QEMU: what it does not like is said in its own words, and nothing is left', async (directory) => {
  const nic = { id: 'nic0', device: await addTap('berth-test'), mac: 'nonsense', mtu: 1450 };
  const fault = await expectThrows('exec', () => start(directory, 'vm', { nics: [nic] }));
  const message = fault instanceof Fault ? fault.message : '';
  expect(message.startsWith('QEMU exited with status 1 before it was ready: '), message);
  expect(message.includes('nonsense'), message);
  expectEqual(sockets(directory), []);
});

nativeTest('QEMU: what it could not open is named before it starts', async (directory) => {
  const missing = `${directory}/no,such,image`;
  const fault = await expectThrows('ENOENT', () => start(directory, 'vm', { disks: [disk(missing, false)] }));
  expect(describeError(fault).includes(`${missing}, the image of disk disk-v`), `${fault}`);
  for (const name of ['kernel', 'initrd'] as const) {
    const secret = image(directory, 'secret');
    const refusal = await expectThrows('precondition', () => start(directory, 'vm', { [name]: secret }));
    expect(describeError(refusal).includes(`chmod o+r ${secret}`), `${refusal}`);
  }
  expectEqual(sockets(directory), []);
});

nativeTest('QEMU: is known before it answers, and ends when that cannot be recorded', async (directory) => {
  let known: ProcessIdentity | undefined;
  const onProcess = async (process: ProcessIdentity): Promise<never> => {
    known = process;
    throw new Fault('io', 'no space for the record');
  };
  const refused = { ...options(directory, 'vm'), onProcess };
  await expectThrows('io', () => driver.start(machine(directory, 'vm'), refused));
  expect(known !== undefined && !isAlive(known), 'it was alive, and is gone');
});

nativeTest('QEMU: a death that nobody asked for is seen at once', async (directory) => {
  const vm = await start(directory, 'vm');
  sys.kill(vm.process.pid, SIG.KILL);
  const { code, signal } = await vm.exited;
  expectEqual([code, signal], [-1, SIG.KILL]);
  await expectThrows('io', () => vm.disks());
  await vm.kill();
});

nativeTest('QEMU: holds the leases of its volumes until it dies', async (directory) => {
  const path = image(directory, 'lease');
  const lease = acquireLease(path, 'the pod');
  expect('fd' in lease, 'the lease is free');
  const vm = await start(directory, 'vm', {}, [lease.fd]);
  sys.close(lease.fd);
  expectEqual(acquireLease(path, 'another'), { heldBy: 'the pod' });
  await vm.kill();
  const next = acquireLease(path, 'another');
  expect('fd' in next, 'the lease is free again');
  sys.close(next.fd);
});

nativeTest('QEMU: shares a read-only image, and lets no second machine near a writable one', async (directory) => {
  const [shared, own] = [image(directory, 'shared'), image(directory, 'own')];
  const first = await start(directory, 'first', { disks: [disk(shared, true), { ...disk(own, false), id: 'own' }] });
  const second = await start(directory, 'second', { disks: [disk(shared, true)] });
  for (const readOnly of [false, true]) {
    const fault = await expectThrows('exec', () => start(directory, 'third', { disks: [disk(own, readOnly)] }));
    const message = fault instanceof Fault ? fault.message : '';
    expect(/Failed to get (shared )?"write" lock/.test(message), message);
  }
  await Promise.all([first.kill(), second.kill()]);
  const third = await start(directory, 'third', { disks: [disk(own, false)] });
  await third.kill();
});

nativeTest('QEMU: works a disk that it was handed in every way, and sees it grow', async (directory) => {
  const path = image(directory, 'own');
  const ways = [
    { cache: 'writeback', aio: 'threads', queues: 1, iothread: false, discard: false },
    { cache: 'writeback', aio: 'io_uring', queues: 2, iothread: true, discard: true },
  ] as const;
  for (const tuning of ways) {
    const vm = await start(directory, 'vm', { disks: [{ ...disk(path, false), tuning }] });
    const sizeBytes = (sys.stat(path)?.size ?? 0) * 2;
    await vm.resizeDisk('disk-v', sizeBytes);
    expectEqual(sys.stat(path)?.size, sizeBytes);
    await vm.kill();
    expectEqual((await vm.exited).lastWords, '');
  }
});

nativeTest('QEMU: starts again where a killed one left its sockets', async (directory) => {
  const first = await start(directory, 'vm');
  await first.kill();
  expect(sys.lstat(`${directory}/vm.qmp`) !== null, 'a killed QEMU leaves its socket');
  const second = await start(directory, 'vm');
  await second.kill();
});
