import { describe, expect, it } from 'vitest';
import { parseCniContainerId, parseIfName, parseNetworkName } from '../proto/ids.ts';
import type { NetworkAttachment, NicRoute } from '../proto/network-attachment.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { Qdiscs } from '../runtime/system/netlink/qdisc.ts';
import { planAdd } from './plan.ts';
import type { PodInterface } from './pod-interface.ts';
import type { Step } from './wire.ts';
import type { WiringConfig } from './wiring-config.ts';

const LINK: Link = {
  index: 3,
  name: 'eth0',
  hardwareType: 1,
  up: true,
  mtu: 1400,
  mac: '02:00:00:00:00:01',
  kind: 'veth',
  hasCarrier: true,
};
const WIRING: WiringConfig = {
  mode: 'tc',
  macvtapMode: 'passthru',
  queues: 1,
  tapName: undefined,
  owner: undefined,
  bandwidth: undefined,
};
const REQUEST = {
  network: parseNetworkName('net'),
  attachment: { containerId: parseCniContainerId('c1'), ifName: parseIfName('eth0'), netnsPath: '/run/netns/pod' },
  netnsId: '4:100',
  bootId: 'boot',
  dns: undefined,
  wiring: WIRING,
  surroundings: { reported: {}, earlierShaper: undefined, readsTimeStamps: false, hasIpv6: true },
  kataDanDir: undefined,
};
const TAP: Link = {
  index: 4,
  name: 'berth3',
  hardwareType: 1,
  up: false,
  mtu: 1500,
  kind: 'tun',
  hasCarrier: false,
  tap: { isMultiQueue: false, hasVnetHeader: true, openQueues: 0 },
  alias: 'berth:net:c1:eth0',
};

const ALIAS = 'berth:net:c1:eth0';

const pod = (change: Partial<PodInterface> = {}): PodInterface => ({
  link: LINK,
  addresses: [],
  routes: [],
  neighbours: [],
  qdiscs: {},
  links: [LINK],
  ...change,
});
const route = (destination: string, change: Partial<NicRoute> = {}): NicRoute => ({
  family: destination.includes(':') ? 6 : 4,
  destination,
  scope: 0,
  type: 1,
  protocol: 2,
  table: 254,
  onlink: false,
  ...change,
});
const stepsOf = (change: Partial<PodInterface>, previous?: NetworkAttachment): string[] =>
  planAdd(REQUEST, pod(change), previous).steps.map((step) => [step.do, 'to' in step ? step.to : ''].join(' ').trim());

describe('plan of ADD', () => {
  it('records first, wires both ways, and records last', () => {
    expect(planAdd(REQUEST, pod(), undefined).steps).toEqual([
      { do: 'record-wiring' },
      { do: 'make-tap', tap: 'berth3', spec: { alias: ALIAS, mtu: 1400, queues: 1, owner: undefined } },
      { do: 'raise', link: 'berth3' },
      { do: 'add-ingress', to: 'eth0' },
      { do: 'add-ingress', to: 'berth3' },
      { do: 'redirect', from: 'berth3', to: 'eth0', isFirst: true },
      { do: 'redirect', from: 'eth0', to: 'berth3', isFirst: true },
      { do: 'record-ready' },
    ]);
  });

  it('tells Kata last, where that is asked for', () => {
    const { wiring, steps } = planAdd({ ...REQUEST, kataDanDir: '/run/dans' }, pod(), undefined);
    expect(wiring.kataDan).toBe('/run/dans/c1.json');
    expect(steps.slice(-2)).toEqual([{ do: 'tell-kata', path: '/run/dans/c1.json' }, { do: 'record-ready' }]);
  });

  it('writes down where everything is', () => {
    expect(planAdd(REQUEST, pod(), undefined).wiring).toEqual({
      state: 'wiring',
      network: 'net',
      containerId: 'c1',
      ifName: 'eth0',
      netnsPath: '/run/netns/pod',
      netnsId: '4:100',
      bootId: 'boot',
      ifIndex: 3,
      device: { kind: 'tap', name: 'berth3', queues: 1 },
      ownsIngress: true,
      nic: planAdd(REQUEST, pod(), undefined).nic,
    });
  });

  it("uses somebody's ingress or clsact, and does not call it its own", () => {
    for (const ingress of ['ingress', 'clsact'] as const) {
      expect(planAdd(REQUEST, pod({ qdiscs: { ingress } }), undefined).wiring.ownsIngress).toBe(false);
      expect(stepsOf({ qdiscs: { ingress } })).not.toContain('add-ingress eth0');
    }
  });

  it.each<[string, Partial<NetworkAttachment>, Qdiscs['ingress'], boolean]>([
    ['its own of the time before', {}, 'ingress', true],
    ["somebody's of the time before", { ownsIngress: false }, 'ingress', false],
    ['a clsact that took its place', {}, 'clsact', false],
    ['one of another namespace at the same path', { netnsId: '4:200' }, 'ingress', false],
    ['one of another boot', { bootId: 'before' }, 'ingress', false],
    ['one of an interface that is gone', { ifIndex: 9 }, 'ingress', false],
  ])('when repeated, tells apart %s', (_, change, ingress, owned) => {
    const previous = { ...planAdd(REQUEST, pod(), undefined).wiring, ...change };
    expect(
      planAdd(REQUEST, pod({ qdiscs: ingress === undefined ? {} : { ingress } }), previous).wiring.ownsIngress,
    ).toBe(owned);
  });

  it('takes the TAP of an ADD that was broken off', () => {
    expect(stepsOf({ links: [LINK, TAP] })).toEqual(stepsOf({}));
  });

  it.each<[string, Partial<Link>, Partial<WiringConfig>]>([
    ['has one queue', {}, { queues: 2 }],
    ['has several', { tap: { isMultiQueue: true, hasVnetHeader: true, openQueues: 0 } }, {}],
    ['has no owner', {}, { owner: { uid: 1000 } }],
    ['has another name', { name: 'tap7' }, {}],
    ['is a macvtap', { kind: 'macvtap', macvtapMode: 8 }, {}],
    ['is a macvtap in another mode', { kind: 'macvtap', macvtapMode: 4 }, { mode: 'macvtap' }],
  ])('makes the device of an earlier ADD anew that %s, unless a VMM has it', (_, change, wiring) => {
    const links = [LINK, { ...TAP, ...change }];
    const request = { ...REQUEST, wiring: { ...WIRING, ...wiring } };
    expect(planAdd(request, pod({ links }), undefined).steps[0]).toEqual({ do: 'unwire' });
    if (change.kind === 'macvtap') return;
    const held = [LINK, { ...TAP, ...change, hasCarrier: true }];
    expect(() => planAdd(request, pod({ links: held }), undefined)).toThrow(
      /a VMM has (berth3|tap7) open; end the pod's/,
    );
  });

  it('changes nothing but the MTU of a TAP that a VMM has', () => {
    const plan = planAdd(REQUEST, pod({ links: [LINK, { ...TAP, hasCarrier: true }] }), undefined);
    expect(plan.isInUse).toBe(true);
    expect(plan.steps.map((step) => step.do)).not.toContain('unwire');
  });

  it('knows what was left between making and marking', () => {
    const { alias: _, tap: __, ...unmarked } = TAP;
    const links = [LINK, { ...unmarked, kind: 'macvtap', lowerIndex: 3, macvtapMode: 8 }];
    const request = { ...REQUEST, wiring: { ...WIRING, mode: 'macvtap' as const } };
    expect(planAdd(request, pod({ links }), undefined).steps.map((step) => step.do)).toEqual([
      'record-wiring',
      'make-macvtap',
      'raise',
      'record-ready',
    ]);
    const elsewhere = [LINK, { ...unmarked, kind: 'macvtap', lowerIndex: 9, macvtapMode: 8 }];
    expect(() => planAdd(request, pod({ links: elsewhere }), undefined)).toThrow('interface berth3 is there already');
  });

  it.each([
    ['no TAP', { ...TAP, kind: 'dummy' }],
    ["nobody's", { ...TAP, alias: undefined }],
    ["another's", { ...TAP, alias: 'berth:net:c2:eth0' }],
  ])('refuses a link of the same name that is %s', (_, { alias, ...link }) => {
    const links = [LINK, alias === undefined ? link : { ...link, alias }];
    expect(() => planAdd(REQUEST, pod({ links }), undefined)).toThrow(
      "interface berth3 is there already and is not berth's TAP of net:c1:eth0",
    );
  });

  it('refuses an interface that is down, whose routes are not there', () => {
    const down = () => planAdd(REQUEST, pod({ link: { ...LINK, up: false } }), undefined);
    expect(down).toThrow('eth0 is down; the plugins before berth in the chain must raise it');
  });

  it('refuses an interface without Ethernet', () => {
    const { mac: _, ...tunnel } = { ...LINK, hardwareType: 0xfffe, kind: 'tun' };
    expect(() => planAdd(REQUEST, pod({ link: tunnel }), undefined)).toThrow('eth0 (tun) carries no Ethernet frames');
    const netkit = { ...LINK, mac: '00:00:00:00:00:00', kind: 'netkit' };
    expect(() => planAdd(REQUEST, pod({ link: netkit }), undefined)).toThrow('eth0 (netkit) carries no Ethernet');
  });
});

describe('what the guest takes over', () => {
  const nicOf = (change: Partial<PodInterface>) => planAdd(REQUEST, pod(change), undefined).nic;

  it('is the identity of the interface', () => {
    expect(nicOf({})).toEqual({
      mac: '02:00:00:00:00:01',
      mtu: 1400,
      addresses: [],
      routes: [],
      neighbours: [],
      dns: { nameservers: [], search: [], options: [] },
    });
  });

  it('leaves out what its kernel makes of its own', () => {
    const addresses = [
      { address: '10.1.1.2/24', scope: 0 },
      { address: '169.254.7.1/32', scope: 253 },
      { address: 'fd00::2/64', scope: 0 },
      { address: 'fe80::ff:fe00:1/64', scope: 253 },
    ];
    const routes = ['fe80::/64', 'ff00::/8', 'fd00::/64', '10.1.1.0/24'].map((destination) => route(destination));
    const nic = nicOf({ addresses, routes });
    expect(nic.addresses.map(({ address }) => address)).toEqual(['10.1.1.2/24', '169.254.7.1/32', 'fd00::2/64']);
    expect(nic.routes.map(({ destination }) => destination)).toEqual(['fd00::/64', '10.1.1.0/24']);
  });

  it('puts routes before those that need them', () => {
    const routes = [
      route('0.0.0.0/0', { gateway: '10.1.1.1' }),
      route('10.1.1.0/24', { gateway: '10.1.1.1' }),
      route('::/0', { gateway: 'fd00::1' }),
      route('10.1.1.1/32', { scope: 253 }),
      route('fd00::1/128'),
    ];
    expect(nicOf({ routes }).routes.map(({ destination }) => destination)).toEqual([
      '10.1.1.1/32',
      'fd00::1/128',
      '0.0.0.0/0',
      '10.1.1.0/24',
      '::/0',
    ]);
  });

  it.each([
    [
      { nameservers: ['10.0.0.1'], options: ['ndots:5'] },
      { nameservers: ['10.0.0.1'], search: [], options: ['ndots:5'] },
    ],
    [{ domain: 'cluster.local' }, { nameservers: [], search: ['cluster.local'], options: [] }],
    [
      { domain: 'a', search: ['b', 'c'] },
      { nameservers: [], search: ['b', 'c'], options: [] },
    ],
  ])('has name servers of %j', (dns, expected) => {
    expect(planAdd({ ...REQUEST, dns }, pod(), undefined).nic.dns).toEqual(expected);
  });
});

describe('a macvtap that takes the MAC', () => {
  const wiring = { ...WIRING, mode: 'macvtap', macvtapMode: 'bridge' } as const;
  const request = { ...REQUEST, wiring };
  const addresses = [{ address: '10.1.1.2/24', scope: 0 }];

  it('is made after the interface gave it up, with its addresses', () => {
    const { steps, wiring: record } = planAdd(request, pod({ addresses }), undefined);
    expect(steps).toEqual([
      { do: 'record-wiring' },
      { do: 'give-up-identity', spareMac: '06:00:00:00:00:01' },
      { do: 'make-macvtap', tap: 'berth3', spec: { alias: ALIAS, mtu: 1400, mode: 'bridge', mac: LINK.mac } },
      { do: 'raise', link: 'berth3' },
      { do: 'record-ready' },
    ]);
    expect(record).toMatchObject({ gaveUp: { hadIpv6: true }, nic: { mac: LINK.mac, addresses }, ownsIngress: false });
  });

  const bare = { link: { ...LINK, mac: '06:00:00:00:00:01' } };
  const made: Link = { ...TAP, kind: 'macvtap', lowerIndex: 3, macvtapMode: 4 };

  it('is left as it is by an ADD that is repeated, which knows MAC and addresses from the record', () => {
    const earlier = { ...planAdd(request, pod({ addresses }), undefined).wiring, state: 'ready' as const };
    const { steps, nic } = planAdd(request, pod({ ...bare, links: [bare.link, made] }), earlier);
    expect(nic).toMatchObject({ mac: LINK.mac, addresses });
    expect(steps.map((step) => step.do)).toEqual(['record-wiring', 'make-macvtap', 'raise', 'record-ready']);
  });

  it('is made anew where an ADD was broken off, so that all comes from the record', () => {
    const earlier = planAdd(request, pod({ addresses }), undefined).wiring;
    for (const links of [[bare.link], [bare.link, made]]) {
      const { steps, nic } = planAdd(request, pod({ ...bare, links }), earlier);
      expect(steps.slice(0, 3).map((step) => step.do)).toEqual(['unwire', 'record-wiring', 'give-up-identity']);
      expect(nic).toMatchObject({ mac: LINK.mac, addresses });
    }
  });
});

describe('limits', () => {
  const bandwidth = { ingressRate: 20e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 0 };
  const limited = (change: Partial<WiringConfig>, surroundings = {}) =>
    planAdd(
      {
        ...REQUEST,
        wiring: { ...WIRING, bandwidth, ...change },
        surroundings: { ...REQUEST.surroundings, ...surroundings },
      },
      pod(),
      undefined,
    );
  const limits = ({ steps }: { readonly steps: readonly Step[] }) =>
    steps.flatMap((step) => (step.do === 'limit' ? [[step.on, step.bucket.bytesPerSecond]] : []));

  it('are of what leaves by the TAP and by the interface', () => {
    const plan = limited({});
    expect(limits(plan)).toEqual([
      ['berth3', 2.5e6],
      ['eth0', 1e6],
    ]);
    expect(plan.wiring.bandwidth).toEqual(bandwidth);
  });

  it('are of what an ifb took from the interface, for a macvtap', () => {
    const plan = limited({ mode: 'macvtap' });
    expect(limits(plan)).toEqual([
      ['eth0', 1e6],
      ['berth3-in', 2.5e6],
    ]);
    expect(plan.wiring.ownsIngress).toBe(true);
  });

  it('are left to an earlier plugin, and the record says so', () => {
    const plan = limited({}, { earlierShaper: 'the interface bwp1' });
    expect(limits(plan)).toEqual([]);
    expect(plan.wiring.bandwidth).toEqual({ ...bandwidth, leftTo: 'the interface bwp1' });
  });

  it('that are asked for no more are taken back first', () => {
    const found = pod({ qdiscs: { root: { kind: 'tbf', owner: 'berth' } } });
    expect(planAdd(REQUEST, found, undefined).steps[0]).toEqual({ do: 'unwire' });
    const earlier = limited({}).wiring;
    expect(planAdd(REQUEST, pod(), earlier).steps[0]).toEqual({ do: 'unwire' });
    const again = { ...REQUEST, wiring: { ...WIRING, bandwidth } };
    expect(planAdd(again, found, earlier).steps[0]).toEqual({ do: 'record-wiring' });
  });
});

it('keeps a TAP from a qdisc that would read the time stamps of what it is redirected', () => {
  const surroundings = { ...REQUEST.surroundings, readsTimeStamps: true };
  expect(planAdd({ ...REQUEST, surroundings }, pod(), undefined).steps).toContainEqual({ do: 'queue', on: 'berth3' });
});

describe('what needs no TAP', () => {
  const hardware: Link = { ...LINK, parent: { bus: 'pci', name: '0000:01:00.1' } };
  const { kind: _, ...nic } = hardware;
  const deviceOf = (link: Link, reported = {}, wiring: Partial<WiringConfig> = {}) => {
    const surroundings = { ...REQUEST.surroundings, reported };
    const plan = planAdd(
      { ...REQUEST, wiring: { ...WIRING, ...wiring }, surroundings },
      pod({ link, links: [link] }),
      undefined,
    );
    return { device: plan.wiring.device, steps: plan.steps.map((step) => step.do) };
  };

  it.each([
    [
      'a vhost-user socket',
      LINK,
      { socketPath: '/run/vpp/1.sock' },
      { kind: 'vhost-user', socketPath: '/run/vpp/1.sock' },
    ],
    ['a reported device', LINK, { pciId: '0000:02:00.0' }, { kind: 'physical', pciId: '0000:02:00.0' }],
    ['a NIC of the host', nic, {}, { kind: 'physical', pciId: '0000:01:00.1' }],
  ])('is recorded and left alone: %s', (_, link, reported, device) => {
    expect(deviceOf(link, reported)).toEqual({ device, steps: ['record-wiring', 'record-ready'] });
  });

  it('gets a macvtap where one is asked for', () => {
    expect(deviceOf(nic, {}, { mode: 'macvtap' }).device.kind).toBe('macvtap');
  });

  it('is not hardware of another bus, which a VMM could not be given', () => {
    expect(deviceOf({ ...nic, parent: { bus: 'virtio', name: 'virtio0' } }).device.kind).toBe('tap');
  });
});
