import { Fault } from '../../../proto/fault.ts';
import { replaceFile } from '../../system/native/file.ts';
import { spawnChild } from '../../system/native/process.ts';
import { createStream } from '../../system/native/stream.ts';
import { CLONE, EAGAIN, O, SIG, SOCK, sys } from '../../system/native/sys.ts';
import { expect, expectEqual, nativeProgram, nativeTest, testProgram } from '../../system/native/testing.ts';
import { findLink } from '../../system/netlink/link.ts';
import { openNetlink } from '../../system/netlink/socket.ts';
import { enterJail } from './enter-jail.ts';
import { encodeJailRequest, type JailRequest, parseJailRequest } from './request.ts';

nativeProgram('jail-of-a-shell', ([request = '', ...args]) => {
  try {
    enterJail(parseJailRequest(request), args);
  } catch (error) {
    sys.write(2, sys.utf8Encode(error instanceof Fault ? error.message : String(error)));
    sys.exit(1);
  }
});
/** Ends as soon as the program in its jail has said something. */
nativeProgram('parent-of-a-jail', ([request = '']) => {
  const [heard, itsOutput] = sys.pipe();
  const argv = testProgram('jail-of-a-shell', request, '-c', 'echo here; exec sleep 60');
  spawnChild({ argv, fds: [-1, itsOutput, 2], parentDeathSignal: SIG.KILL });
  sys.watch(heard, () => sys.exit(0), null);
});

const SIGSYS = 31;
const SHELL = '/usr/bin/dash';

function requestOf(directory: string, changes: Partial<JailRequest> = {}): JailRequest {
  for (const name of ['kernel', 'initrd']) {
    replaceFile(`${directory}/${name}`, sys.utf8Encode(name), { mode: 0o644, durable: false });
  }
  return {
    program: SHELL,
    guest: { kernel: `${directory}/kernel`, initrd: `${directory}/initrd` },
    shares: [],
    kvm: false,
    inherited: 3,
    taps: [],
    endsWithParent: false,
    ...changes,
  };
}

const TAP = { kind: 'tap', name: 'berth-jail', ifIndex: 9, queues: 1, isMultiQueue: false } as const;

/** linux/if_ether.h: an EtherType for experiments, which nothing else sends. */
const ETHERTYPE = [0x88, 0xb5];
const AF_PACKET = 17;
/** As printf(1) takes it: struct virtio_net_hdr, then an Ethernet frame of the shortest length to everybody. */
const FRAME = [
  ...new Array<number>(10).fill(0),
  ...[...new Array<number>(6).fill(0xff), 0x02, 0, 0, 0, 0, 0x01, ...ETHERTYPE, ...new Array<number>(46).fill(0)],
]
  .map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
  .join('');

const isFrame = (frame: Uint8Array | typeof EAGAIN): boolean => frame !== EAGAIN && frame.length === 60;

async function ip(words: string): Promise<void> {
  expectEqual(
    [words, (await spawnChild({ argv: ['ip', ...words.split(' ')], fds: [-1, 2, 2] }).exited).code],
    [words, 0],
  );
}

async function inNewNetwork(body: () => Promise<void>): Promise<void> {
  const before = sys.open('/proc/self/ns/net', O.RDONLY);
  try {
    sys.unshare(CLONE.NEWNET);
    await body();
  } finally {
    sys.setns(before, CLONE.NEWNET);
    sys.close(before);
  }
}

/** In the network of this process; answers its index. */
async function addTap(name: string, ...kinds: readonly string[]): Promise<number> {
  await ip(`tuntap add ${[name, 'mode', 'tap', 'vnet_hdr', ...kinds].join(' ')}`);
  const netlink = openNetlink();
  const { index = 0 } = findLink(netlink, name) ?? {};
  netlink.close();
  return index;
}

/** In the network of this process, the same each time; answers a socket that has what arrives behind it. */
async function addMacvtap(): Promise<number> {
  await ip('link add pod0 type veth peer name far0');
  await ip(`link add link pod0 name ${TAP.name} index ${TAP.ifIndex} type macvtap mode passthru`);
  for (const name of ['pod0', 'far0', TAP.name]) await ip(`link set ${name} up`);
  const socket = sys.socket(AF_PACKET, SOCK.RAW | SOCK.NONBLOCK, 0);
  // struct sockaddr_ll: family, protocol in network order, any interface.
  sys.bind(socket, Uint8Array.from([AF_PACKET, 0, ...ETHERTYPE, ...new Array<number>(16).fill(0)]));
  return socket;
}

interface Finished {
  readonly pid: number;
  readonly code: number;
  readonly signal: number;
  /** Standard output and error. */
  readonly said: string;
}

/** Runs a script in a jail, and answers what it said. */
async function inJail(directory: string, script: string, request = requestOf(directory)): Promise<Finished> {
  const output = sys.open(`${directory}/output`, O.RDWR | O.CREAT | O.TRUNC, 0o600);
  const argv = testProgram('jail-of-a-shell', encodeJailRequest(request), '-c', script);
  const child = spawnChild({ argv, fds: [-1, output, output] });
  const { code, signal } = await child.exited;
  sys.close(output);
  return { pid: child.pid, code, signal, said: sys.utf8Decode(sys.readFile(`${directory}/output`)).trim() };
}

function makeShare(directory: string): JailRequest['shares'][number] {
  const path = `${directory}/root`;
  sys.mkdir(path, 0o700);
  replaceFile(`${path}/secret`, sys.utf8Encode('treasure\n'), { mode: 0o600, durable: false });
  return { id: 'rootfs', path };
}

nativeTest('jail: shows programs, libraries and what was asked for, and nothing can be written', async (directory) => {
  const script = 'cd /; echo * */*; echo x >/x || cat /guest/kernel /guest/initrd; echo x >/usr/x';
  const { said } = await inJail(directory, script);
  const [listed = '', ...rest] = said.split('\n');
  const shown = listed.split(' ').filter((path) => !/^(usr|bin|sbin|lib|lib64)\/|^(bin|sbin|lib|lib64)$/.test(path));
  expectEqual(shown.sort(), [
    'dev',
    'dev/null',
    'dev/urandom',
    'etc',
    'etc/ld.so.cache',
    'guest',
    'guest/initrd',
    'guest/kernel',
    'usr',
  ]);
  expect(rest.filter((line) => line.includes('Read-only file system')).length === 2, said);
  expect(said.includes('kernelinitrd'), said);
});

nativeTest(
  'jail: is a user of its own without a group, and has the one capability that a share takes',
  async (directory) => {
    const shares = [makeShare(directory)];
    for (const [request, capabilities] of [
      [requestOf(directory), '[none]'],
      [requestOf(directory, { shares }), 'dac_read_search'],
    ] as const) {
      const { pid, said } = await inJail(directory, 'setpriv --dump', request);
      const uid = 0x7000_0000 + pid;
      expectEqual(said.split('\n').slice(0, 10), [
        ...[`uid: ${uid}`, `euid: ${uid}`, `gid: ${uid}`, `egid: ${uid}`, 'Supplementary groups: [none]'],
        ...['no_new_privs: 1', `Inheritable capabilities: ${capabilities}`, `Ambient capabilities: ${capabilities}`],
        ...[`Capability bounding set: ${capabilities}`, 'Securebits: [none]'],
      ]);
    }
  },
);

nativeTest(
  'jail: opens no file by its handle, has no keys, looks into no process, has one table of calls',
  async (directory) => {
    const request = requestOf(directory, { shares: [makeShare(directory)] });
    const call = (number: string) =>
      inJail(directory, `exec perl -e 'syscall(${number}, -1, 0, 0, 0, 0); exit $!'`, request);
    const EPERM = 1;
    const refused = ['101', '248', '249', '250', '303', '304', '310', '311', '438'];
    for (const number of refused) expectEqual([number, (await call(number)).code], [number, EPERM]);
    expectEqual((await call('0x40000000 + 39')).signal, SIGSYS);
  },
);

nativeTest(
  'jail: reads all of a share, by the names of its own descriptors too, and sees no process',
  async (directory) => {
    const request = requestOf(directory, { shares: [makeShare(directory)] });
    const [SETXATTR, GETXATTR] = [188, 191];
    const set = `($path, $name, $value) = @ARGV; exit syscall(${SETXATTR}, $path, $name, $value, 5, 0)`;
    const label = ['perl', '-e', set, `${directory}/root/secret`, 'security.berth', 'label'];
    expectEqual((await spawnChild({ argv: label, fds: [-1, -1, 2] }).exited).code, 0);
    const { said } = await inJail(directory, 'cat /share/rootfs/secret; ls /proc/self; ls /proc', request);
    expectEqual(said.split('\n'), ['treasure', 'fd', 'self']);
    // As QEMU's 9p server reads extended attributes.
    const get = `($path, $name, $value) = @ARGV; syscall(${GETXATTR}, $path, $name, $value, 5); print $value`;
    const script = `exec 7</share/rootfs; exec perl -e '${get}' /proc/self/fd/7/secret security.berth empty`;
    expectEqual((await inJail(directory, script, request)).said, 'label');
  },
);

nativeTest('jail: says which file it was not allowed to show, and starts nothing', async (directory) => {
  const request = requestOf(directory, { shares: [{ id: 'rootfs', path: `${directory}/none` }] });
  const { code, said } = await inJail(directory, 'echo started', request);
  expectEqual([code, said], [1, `could not show ${directory}/none to the VMM`]);
});

nativeTest('jail: hands a TAP on behind what was inherited', (directory) =>
  inNewNetwork(async () => {
    const request = requestOf(directory, { taps: [{ ...TAP, ifIndex: await addTap(TAP.name) }] });
    const { code, said } = await inJail(directory, 'true <&3 && true <&4 && ! true <&5', request);
    expectEqual([code, said.includes('5')], [0, true]);
  }),
);

nativeTest('jail: makes no TAP in the place of one that is gone, and takes no other', (directory) =>
  inNewNetwork(async () => {
    const ifIndex = await addTap(TAP.name);
    await ip(`link delete ${TAP.name}`);
    const request = requestOf(directory, { taps: [{ ...TAP, ifIndex }] });
    const words = `the TAP ${TAP.name} that CNI ADD made (number ${ifIndex}) is gone; run CNI DEL and ADD again`;
    const refuse = async () => {
      const { code, said } = await inJail(directory, 'true', request);
      expectEqual([code, said], [1, words]);
    };
    await refuse();
    expect((await addTap(TAP.name)) !== ifIndex, 'none is left, and there is another');
    await refuse();
  }),
);

nativeTest('jail: opens as many queues as it is asked for, of a TAP that was made for several', (directory) =>
  inNewNetwork(async () => {
    const tap = { ...TAP, ifIndex: await addTap(TAP.name, 'multi_queue'), isMultiQueue: true };
    for (const queues of [1, 3]) {
      const request = requestOf(directory, { taps: [{ ...tap, queues }] });
      const { said } = await inJail(directory, 'for fd in 3 4 5 6 7; do true <&$fd && echo $fd; done 2>&-', request);
      const claim = 1;
      expectEqual(said.split('\n').length, queues + claim);
    }
  }),
);

nativeTest('jail: has a device that others could open too to itself, until it ends', (directory) =>
  inNewNetwork(async () => {
    const ifIndex = await addTap(TAP.name, 'multi_queue');
    const request = requestOf(directory, { taps: [{ ...TAP, ifIndex, isMultiQueue: true }] });
    const [output, itsOutput] = sys.pipe();
    const argv = testProgram('jail-of-a-shell', encodeJailRequest(request), '-c', 'echo here; exec sleep 60');
    const first = spawnChild({ argv, fds: [-1, itsOutput, 2] });
    sys.close(itsOutput);
    const said = createStream(output, 'standard output of a jail');
    await said.read();
    said.close();
    const refused = await inJail(directory, 'true', request);
    const words = 'another VMM has berth-jail of this network namespace open; end its pod first';
    expectEqual([refused.code, refused.said], [1, words]);
    sys.kill(first.pid, SIG.KILL);
    await first.exited;
    expectEqual((await inJail(directory, 'true', request)).code, 0);
  }),
);

nativeTest('jail: of two macvtaps with one name and index, opens that of its own network', async (directory) => {
  const taps = [{ ...TAP, kind: 'macvtap' as const, queues: 2 }];
  const request = requestOf(directory, { taps });
  const send = `printf '${FRAME}' >&4`;
  await inNewNetwork(async () => {
    const outside = await addMacvtap();
    await inNewNetwork(async () => {
      const inside = await addMacvtap();
      expectEqual((await inJail(directory, send, request)).said, '');
      expectEqual([isFrame(sys.receive(inside)), sys.receive(outside)], [true, EAGAIN]);
      sys.close(inside);
    });
    expectEqual((await inJail(directory, send, request)).said, '');
    expect(isFrame(sys.receive(outside)), 'the frame went where the macvtap is');
    sys.close(outside);
    await ip(`link delete ${TAP.name}`);
    const { code, said } = await inJail(directory, send, request);
    expectEqual([code, said], [1, `could not open the macvtap ${TAP.name} (number ${TAP.ifIndex})`]);
  });
});

nativeTest('jail: has no System V objects of the host, and no network but that of its TAPs', async (directory) => {
  const namespaceOf = (pid: number | 'self', name: string) => sys.readlink(`/proc/${pid}/ns/${name}`);
  for (const taps of [[], [{ ...TAP, ifIndex: await addTap(TAP.name) }]]) {
    const [output, itsOutput] = sys.pipe();
    const request = encodeJailRequest(requestOf(directory, { taps }));
    const child = spawnChild({
      argv: testProgram('jail-of-a-shell', request, '-c', 'echo here; exec sleep 60'),
      fds: [-1, itsOutput, 2],
    });
    sys.close(itsOutput);
    const said = createStream(output, 'standard output of a jail');
    await said.read();
    expect(namespaceOf(child.pid, 'ipc') !== namespaceOf('self', 'ipc'), 'System V');
    expectEqual(namespaceOf(child.pid, 'net') === namespaceOf('self', 'net'), taps.length > 0);
    said.close();
    sys.kill(child.pid, SIG.KILL);
    await child.exited;
  }
  await ip(`link delete ${TAP.name}`);
});

nativeTest('jail: ends with its parent if it is to', async (directory) => {
  const [ended, itsError] = sys.pipe();
  const request = encodeJailRequest(requestOf(directory, { endsWithParent: true }));
  const parent = spawnChild({ argv: testProgram('parent-of-a-jail', request), fds: [-1, -1, itsError] });
  sys.close(itsError);
  const said = createStream(ended, 'standard error of a jail');
  expectEqual(await said.read(), undefined);
  said.close();
  expectEqual((await parent.exited).code, 0);
});
