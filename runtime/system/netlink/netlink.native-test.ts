import { Fault } from '../../../proto/fault.ts';
import { CLONE, EAGAIN, O, sys } from '../native/sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../native/testing.ts';
import { ensureAddress, listAddresses } from './address.ts';
import { CLASSIFIERS, type Classifier } from './classifier.ts';
import { changeLink, ensureNoLink, findLink, findLinkByIndex, type Link, listLinks } from './link.ts';
import { listPermanentNeighbours, replaceNeighbour } from './neighbour.ts';
import { deleteOurRoot, ensureIngress, findQdiscs, replaceTokenBucket } from './qdisc.ts';
import { ensureNoRedirect, ensureRedirect, listIngressFilters, toRedirect } from './redirect.ts';
import { listRoutes, replaceRoute } from './route.ts';
import { type NetlinkSocket, openNetlink } from './socket.ts';

const TUNSETIFF = 0x400454ca;
const IFF_TAP_NO_PI = 0x1002;
const BROADCAST_ARP = Uint8Array.of(255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6, 0xbe, 0x47);

interface Tap {
  readonly fd: number;
  readonly link: Link;
}

/** Runs `body` in a network namespace of its own, with TAPs of these names that are up; all ends with the test. */
async function inFreshNetns(names: readonly string[], body: (netlink: NetlinkSocket, taps: Tap[]) => unknown) {
  const home = sys.open('/proc/self/ns/net', O.RDONLY);
  sys.unshare(CLONE.NEWNET);
  const netlink = openNetlink();
  const taps: Tap[] = [];
  try {
    for (const name of names) taps.push(openTap(netlink, name));
    await body(netlink, taps);
  } finally {
    for (const { fd } of taps) sys.close(fd);
    netlink.close();
    sys.setns(home, CLONE.NEWNET);
    sys.close(home);
  }
}

function openTap(netlink: NetlinkSocket, name: string): Tap {
  const fd = sys.open('/dev/net/tun', O.RDWR | O.NONBLOCK);
  const request = new Uint8Array(40);
  request.set(sys.utf8Encode(name));
  new DataView(request.buffer).setUint16(16, IFF_TAP_NO_PI, true);
  sys.ioctl(fd, TUNSETIFF, request);
  const link = expectLink(netlink, name);
  // Else router solicitations of the kernel would be among the packets.
  changeLink(netlink, link, { addressGeneration: 'none' });
  changeLink(netlink, link, { up: true });
  return { fd, link };
}

function expectLink(netlink: NetlinkSocket, name: string): Link {
  const link = findLink(netlink, name);
  if (link === undefined) throw new Error(`there is no ${name}`);
  return link;
}

const one = (taps: readonly Tap[], index = 0): Tap => {
  const tap = taps[index];
  if (tap === undefined) throw new Error(`there is no TAP ${index}`);
  return tap;
};

/** The packet that waits at the TAP, none if there is none: the kernel has queued it before the write returned. */
function receive({ fd }: Tap): Uint8Array | undefined {
  const buffer = new Uint8Array(2048);
  const length = sys.read(fd, buffer);
  return length === EAGAIN ? undefined : buffer.slice(0, length);
}

nativeTest('netlink: links are listed, changed, renamed and deleted', () =>
  inFreshNetns(['one'], (netlink, taps) => {
    const { link } = one(taps);
    expectEqual(
      listLinks(netlink)
        .map(({ name }) => name)
        .sort(),
      ['lo', 'one'],
    );
    changeLink(netlink, link, { mtu: 1400, alias: 'berth:test' });
    const changed = findLinkByIndex(netlink, link.index);
    expectEqual([changed?.mtu, changed?.alias, changed?.kind, changed?.up], [1400, 'berth:test', 'tun', true]);
    changeLink(netlink, link, { up: false });
    changeLink(netlink, link, { name: 'renamed' });
    expect(findLink(netlink, 'one') === undefined, 'the old name is free');
    expectEqual(findLink(netlink, 'renamed')?.up, false);
    expectEqual([ensureNoLink(netlink, link), ensureNoLink(netlink, link)], [true, false]);
  }),
);

nativeTest('netlink: an address is given twice, without a route of its own', () =>
  inFreshNetns(['one'], (netlink, taps) => {
    const { link } = one(taps);
    const addresses = [
      { address: '10.1.1.2/24', broadcast: '10.1.1.255', scope: 0 },
      { address: '10.2.0.1/32', peer: '10.2.0.9', scope: 0 },
      { address: 'fd00::2/64', scope: 0 },
    ];
    for (let time = 0; time < 2; time += 1) for (const address of addresses) ensureAddress(netlink, link, address);
    expectEqual(listAddresses(netlink, link), addresses);
    const destinations = listRoutes(netlink, link).map(({ destination }) => destination);
    expectEqual(destinations, []);
  }),
);

nativeTest('netlink: routes are what they were said to be, also when said twice', () =>
  inFreshNetns(['one'], (netlink, taps) => {
    const { link } = one(taps);
    ensureAddress(netlink, link, { address: '10.1.1.2/32', scope: 0 });
    ensureAddress(netlink, link, { address: 'fd00::2/128', scope: 0 });
    const common = { type: 1, protocol: 3, table: 254 };
    const routes = [
      { family: 4, destination: '0.0.0.0/0', gateway: '169.254.1.1', scope: 0, ...common, onlink: true },
      {
        family: 4,
        destination: '10.1.1.0/24',
        source: '10.1.1.2',
        scope: 253,
        ...common,
        metric: 50,
        mtu: 1300,
        onlink: false,
      },
      {
        family: 4,
        destination: '10.1.1.0/24',
        scope: 253,
        ...common,
        metric: 50,
        tos: 16,
        // Which is fixed; the hop limit; the congestion window of the beginning.
        metrics: [
          { type: 1, value: 1 << 11 },
          { type: 10, value: 7 },
          { type: 11, value: 20 },
        ],
        onlink: false,
      },
      { family: 4, destination: '10.9.0.0/16', gateway: 'fe80::1', scope: 0, ...common, onlink: false },
      { family: 6, destination: 'fd00::1/128', source: 'fd00::2', scope: 0, ...common, metric: 1024, onlink: false },
      { family: 6, destination: '::/0', gateway: 'fd00::1', scope: 0, ...common, metric: 1024, onlink: false },
    ] as const;
    for (let time = 0; time < 2; time += 1) for (const route of routes) replaceRoute(netlink, link, route);
    const inOrder = (all: readonly object[]) => all.map((route) => JSON.stringify(Object.entries(route).sort())).sort();
    expectEqual(inOrder(listRoutes(netlink, link)), inOrder(routes));
  }),
);

nativeTest('netlink: permanent neighbours', () =>
  inFreshNetns(['one'], (netlink, taps) => {
    const { link } = one(taps);
    const neighbour = { address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' };
    replaceNeighbour(netlink, link, { ...neighbour, mac: '02:00:00:00:00:01' });
    replaceNeighbour(netlink, link, neighbour);
    expectEqual(listPermanentNeighbours(netlink, link), [neighbour]);
  }),
);

nativeTest('netlink: a refusal has errno name, the request in words and the explanation of the kernel', () =>
  inFreshNetns(['one'], async (netlink, taps) => {
    const { link } = one(taps);
    const route = { family: 4, destination: '10.7.0.0/16', gateway: '10.99.0.1', scope: 0, type: 1 } as const;
    const thrown = await expectThrows('io', () =>
      replaceRoute(netlink, link, { ...route, protocol: 3, table: 254, onlink: false }),
    );
    const message = thrown instanceof Error ? thrown.message : '';
    expect(
      message === 'could not set route 10.7.0.0/16 via 10.99.0.1 on one: ENETUNREACH: Nexthop has invalid gateway',
      message,
    );
    await expectThrows('not-found', () => changeLink(netlink, { index: 4711, name: 'gone' }, { up: true }));
  }),
);

/** One line of words that the kernel lacks it, where it does: what cannot be had cannot be tried. */
function isInKernel(netlink: NetlinkSocket, classifier: Classifier, { link }: Tap): boolean {
  ensureIngress(netlink, link);
  try {
    ensureRedirect(netlink, link, link, [], [classifier]);
  } catch (error) {
    if (error instanceof Fault && error.code === 'environment') return false;
    throw error;
  }
  ensureNoRedirect(netlink, link, { targets: [link.index], ownsIngress: true });
  return true;
}

for (const classifier of CLASSIFIERS) {
  nativeTest(
    `netlink: a redirect carries a packet across, both ways, and stops when it is deleted: ${classifier}`,
    () =>
      inFreshNetns(['one', 'two'], (netlink, taps) => {
        const [left, right] = [one(taps, 0), one(taps, 1)];
        if (!isInKernel(netlink, classifier, left)) return;
        for (const [from, to] of [
          [left, right],
          [right, left],
        ] as const) {
          for (let time = 0; time < 2; time += 1) {
            ensureIngress(netlink, from.link);
            ensureRedirect(netlink, from.link, to.link, listIngressFilters(netlink, from.link), [classifier]);
          }
          const filters = listIngressFilters(netlink, from.link);
          expectEqual(toRedirect(filters), { targets: [to.link.index], dangling: 0, foreign: [] });
          expectEqual(filters.at(-1)?.kind, classifier);
          sys.write(from.fd, BROADCAST_ARP);
          expectEqual([...(receive(to) ?? [])], [...BROADCAST_ARP]);
          expect(receive(to) === undefined, 'one filter, one packet');
          ensureNoRedirect(netlink, from.link, { targets: [to.link.index], ownsIngress: false });
          expectEqual(listIngressFilters(netlink, from.link), []);
          sys.write(from.fd, BROADCAST_ARP);
          expect(receive(to) === undefined, 'no packet after the filter is gone');
          expectEqual(findQdiscs(netlink, from.link).ingress, 'ingress');
          ensureNoRedirect(netlink, from.link, { targets: [], ownsIngress: true });
          expect(findQdiscs(netlink, from.link).ingress === undefined, 'no qdisc, as it serves nobody');
        }
      }),
  );
}

nativeTest('netlink: a redirect to a deleted interface is known as such and replaced', () =>
  inFreshNetns(['one', 'two', 'three'], (netlink, taps) => {
    const [from, gone, next] = [one(taps, 0), one(taps, 1), one(taps, 2)];
    ensureIngress(netlink, from.link);
    ensureRedirect(netlink, from.link, gone.link, []);
    ensureNoLink(netlink, gone.link);
    const filters = listIngressFilters(netlink, from.link);
    expectEqual(toRedirect(filters), { targets: [], dangling: 1, foreign: [] });
    ensureRedirect(netlink, from.link, next.link, filters);
    sys.write(from.fd, BROADCAST_ARP);
    expectEqual([...(receive(next) ?? [])], [...BROADCAST_ARP]);
  }),
);

nativeTest('netlink: a token bucket is the root qdisc, replaced and deleted', () =>
  inFreshNetns(['one'], (netlink, taps) => {
    const { link } = one(taps);
    const bucket = { bytesPerSecond: 2_500_000, burstBytes: 131_072, limitBytes: 262_144 };
    for (const bytesPerSecond of [2_500_000, 2 ** 33]) {
      replaceTokenBucket(netlink, link, { ...bucket, bytesPerSecond });
      expectEqual(findQdiscs(netlink, link), { root: { kind: 'tbf', owner: 'berth' } });
    }
    deleteOurRoot(netlink, link);
    expectEqual(findQdiscs(netlink, link).root?.owner, 'kernel');
  }),
);
