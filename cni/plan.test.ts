import { describe, expect, it } from 'vitest';
import type { NetworkAttachment, NicRoute } from '../proto/network-attachment.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { Qdiscs } from '../runtime/system/netlink/qdisc.ts';
import { ALIAS, LINK, pod, REQUEST, TAP, WIRING } from './plan.fixture.ts';
import { planAdd } from './plan.ts';
import type { PodInterface } from './pod-interface.ts';
import type { WiringConfig } from './wiring-config.ts';

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
      { do: 'add-ingress', to: 'berth3' },
      { do: 'raise', link: 'berth3' },
      { do: 'add-ingress', to: 'eth0' },
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

  it.each(['macvlan', 'macvtap'])('refuses a macvtap on a %s', (kind) => {
    const link = { ...LINK, kind };
    const request = { ...REQUEST, wiring: { ...WIRING, mode: 'macvtap' as const } };
    expect(() => planAdd(request, pod({ link, links: [link] }), undefined)).toThrow(`on eth0, which is a ${kind}`);
    expect(planAdd(REQUEST, pod({ link, links: [link] }), undefined).wiring.device).toMatchObject({ kind: 'tap' });
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
