import { describe, expect, it } from 'vitest';
import type { Link } from '../runtime/system/netlink/link.ts';
import { ALIAS, LINK, pod, REQUEST, TAP, WIRING } from './plan.fixture.ts';
import { planAdd } from './plan.ts';
import { refusal } from './refusal.fixture.ts';
import type { Step } from './wire.ts';
import type { WiringConfig } from './wiring-config.ts';

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
    expect(steps).toContainEqual({ do: 'give-up-identity', spareMac: bare.link.mac });
    expect(steps.map((step) => step.do)).toEqual([
      'record-wiring',
      'give-up-identity',
      'make-macvtap',
      'raise',
      'record-ready',
    ]);
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
    const earlierShaper = { by: 'the interface bwp1', ways: 'both' } as const;
    const plan = limited({}, { earlierShaper });
    expect(limits(plan)).toEqual([]);
    expect(plan.wiring.bandwidth).toEqual({ ...bandwidth, leftTo: 'the interface bwp1' });
    expect(plan.leftTo).toEqual(earlierShaper);
  });

  it('are put where somebody else limits the other way alone', () => {
    const plan = limited({}, { earlierShaper: { by: 'the tbf qdisc', ways: 'egress' } });
    expect(limits(plan)).toEqual([['berth3', 2.5e6]]);
    expect(plan.wiring.bandwidth).toEqual({ ...bandwidth, egressRate: 0 });
  });

  it('are refused where a queue that limits nothing has their place, but for a NIC, which has none', () => {
    const request = { ...REQUEST, wiring: { ...WIRING, bandwidth } };
    const found = pod({ qdiscs: { root: { kind: 'pfifo', owner: 'others' } } });
    const [code, message] = refusal(() => planAdd(request, found, undefined));
    expect([code, message]).toEqual([101, expect.stringContaining('eth0 has a root qdisc')]);
    const surroundings = { ...REQUEST.surroundings, reported: { pciId: '0000:02:00.0' } };
    expect(() => planAdd({ ...request, surroundings }, found, undefined)).not.toThrow();
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

  it('gets a TAP where a VMM takes nothing else', () => {
    const request = { ...REQUEST, surroundings: { ...REQUEST.surroundings, reported: undefined } };
    expect(planAdd(request, pod({ link: nic, links: [nic] }), undefined).wiring.device.kind).toBe('tap');
  });

  it('is not hardware of another bus, which a VMM could not be given', () => {
    expect(deviceOf({ ...nic, parent: { bus: 'virtio', name: 'virtio0' } }).device.kind).toBe('tap');
  });
});
