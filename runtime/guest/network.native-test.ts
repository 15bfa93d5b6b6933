import { CLONE, O, sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import { openNetlink } from '../system/netlink/socket.ts';
import { readText } from './files.ts';
import { setUpNetwork } from './network.ts';
import { requireTool } from './tool.ts';

const system = createNativeSystem();

async function ip(args: string): Promise<string> {
  return new TextDecoder().decode((await requireTool(system, ['ip', ...args.split(' ')], 10_000)).stdout);
}

/** In a network namespace with two NICs, p0 and p1, and their far ends. */
async function withNics(body: () => Promise<void>): Promise<void> {
  const before = sys.open('/proc/self/ns/net', O.RDONLY);
  try {
    sys.unshare(CLONE.NEWNET);
    await ip('link add name p0 address 02:00:00:00:00:0a type veth peer name far0');
    await ip('link add name p1 address 02:00:00:00:00:0b type veth peer name far1');
    await ip('link set far0 up');
    await ip('link set far1 up');
    await body();
  } finally {
    sys.setns(before, CLONE.NEWNET);
    sys.close(before);
  }
}

const route = (destination: string, more: object = {}) => ({
  ...{ family: 4, destination, gateway: '', source: '', scope: 0, type: 1, protocol: 4, table: 254 },
  ...{ metric: 0, mtu: 0, tos: 0, metrics: [], onlink: false },
  ...more,
});
const nic = (name: string, mac: string, more: object = {}) => ({
  ...{ name, mac, mtu: 1400, addresses: [], routes: [], neighbours: [] },
  ...more,
});
const eth0 = nic('eth0', '02:00:00:00:00:0A', {
  addresses: [
    { address: '10.1.0.2/24', peer: '', broadcast: '10.1.0.255', scope: 0, deprecated: false },
    { address: 'fd00::2/64', peer: '', broadcast: '', scope: 0, deprecated: false },
    { address: 'fd00::3/64', peer: '', broadcast: '', scope: 0, deprecated: true },
    { address: 'fe80::42/64', peer: '', broadcast: '', scope: 253, deprecated: false },
  ],
  routes: [
    route('10.1.0.1/32', { scope: 253, source: '10.1.0.2', protocol: 2 }),
    route('10.1.0.0/24', { gateway: '10.1.0.1' }),
    route('0.0.0.0/0', { gateway: '10.1.0.1', metric: 50, mtu: 1300 }),
    route('10.1.0.0/24', { gateway: '10.1.0.1', tos: 16, metrics: [{ type: 8, value: 1260 }] }),
    route('192.0.2.0/24', { gateway: '198.51.100.1', onlink: true, table: 1000 }),
    route('fd00::/64', { family: 6, metric: 256, protocol: 2 }),
    route('::/0', { family: 6, gateway: 'fe80::1' }),
    route('fd01::/64', { family: 6, gateway: 'fd00::1', source: 'fd00::2', metric: 77, mtu: 1350 }),
    route('fd02::/64', { family: 6, gateway: 'fd99::1', onlink: true, table: 1000 }),
  ],
  neighbours: [
    { address: '10.1.0.1', mac: '02:00:00:00:00:01' },
    { address: 'fe80::1', mac: '02:00:00:00:00:01' },
  ],
});

nativeTest('network: NICs found by MAC get name, MTU, addresses, routes and neighbours; repeatable', () =>
  withNics(async () => {
    const netlink = openNetlink();
    try {
      for (let round = 0; round < 2; round += 1) {
        await setUpNetwork(netlink, [eth0, nic('net1', '02:00:00:00:00:0b')]);
        const addresses = await ip('-brief address show dev eth0');
        expectEqual(addresses.trim().split(/\s+/), [
          'eth0@far0',
          'UP',
          '10.1.0.2/24',
          'fd00::3/64',
          'fd00::2/64',
          'fe80::ff:fe00:a/64',
          'fe80::42/64',
        ]);
        expectEqual((await ip('-4 route show table all type unicast')).trim().split(/\s*\n/), [
          '192.0.2.0/24 via 198.51.100.1 dev eth0 table 1000 proto static onlink',
          'default via 10.1.0.1 dev eth0 proto static metric 50 mtu 1300',
          '10.1.0.0/24 tos 0x10 via 10.1.0.1 dev eth0 proto static advmss 1260',
          '10.1.0.0/24 via 10.1.0.1 dev eth0 proto static',
          '10.1.0.1 dev eth0 proto kernel scope link src 10.1.0.2',
        ]);
        expectEqual((await ip('-6 route show dev eth0 table all type unicast')).trim().split(/\s*\n/), [
          'fd02::/64 via fd99::1 table 1000 proto static metric 1024 onlink pref medium',
          'fd00::/64 proto kernel metric 256 pref medium',
          'fd01::/64 via fd00::1 proto static src fd00::2 metric 77 mtu 1350 pref medium',
          'fe80::/64 proto kernel metric 256 pref medium',
          'default via fe80::1 proto static metric 1024 pref medium',
        ]);
        expectEqual((await ip('neighbour show')).trim().split(/\s*\n/), [
          '10.1.0.1 dev eth0 lladdr 02:00:00:00:00:01 PERMANENT',
          'fe80::1 dev eth0 lladdr 02:00:00:00:00:01 PERMANENT',
        ]);
        const link = await ip('-oneline link show net1');
        expectEqual([/mtu 1400/.test(link), /UP/.test(link)], [true, true]);
      }
    } finally {
      netlink.close();
    }
  }),
);

nativeTest('network: NICs may have one another’s names', () =>
  withNics(async () => {
    const netlink = openNetlink();
    try {
      await setUpNetwork(netlink, [nic('p1', '02:00:00:00:00:0a'), nic('p0', '02:00:00:00:00:0b')]);
      expectEqual((await ip('-brief link show p1')).split(/\s+/)[2], '02:00:00:00:00:0a');
      expectEqual((await ip('-brief link show p0')).split(/\s+/)[2], '02:00:00:00:00:0b');
      await expectThrows('invalid', () =>
        setUpNetwork(netlink, [nic('p1', '02:00:00:00:00:0a', { routes: [route('nonsense')] })]),
      );
    } finally {
      netlink.close();
    }
  }),
);

nativeTest('network: IPv6 works at once, and a neighbour’s advertisement adds nothing', () =>
  withNics(async () => {
    const netlink = openNetlink();
    try {
      await setUpNetwork(netlink, [eth0]);
      expectEqual((await ip('-6 address show dev eth0 tentative')).trim(), '');
      expect((await ip('-6 address show dev eth0 deprecated')).includes('fd00::3/64'), 'one of them is no source');
      expectEqual(readText('/proc/sys/net/ipv6/conf/eth0/accept_ra')?.trim(), '0');
    } finally {
      netlink.close();
    }
  }),
);

nativeTest('network: a guest without IPv6 says so if the pod has an address of it', () =>
  withNics(async () => {
    const netlink = openNetlink();
    try {
      const least = { mtu: 1000, routes: [], neighbours: [] };
      // Below the least MTU of IPv6 the kernel takes it from an interface.
      await ip('link set p0 name eth0 mtu 1000');
      await expectThrows('unsupported', () => setUpNetwork(netlink, [{ ...eth0, ...least }]));
      await setUpNetwork(netlink, [{ ...eth0, ...least, addresses: eth0.addresses.slice(0, 1) }]);
    } finally {
      netlink.close();
    }
  }),
);
