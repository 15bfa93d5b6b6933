import { describe, expect, it } from 'vitest';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { Qdiscs } from '../runtime/system/netlink/qdisc.ts';
import { refusal } from './refusal.fixture.ts';
import { findEarlierShaper, refuseForeignQueue, toTokenBucket, withoutShaped } from './shape.ts';

describe('token bucket', () => {
  it.each([
    ['bits become bytes', 20e6, 8e6, { bytesPerSecond: 2_500_000, burstBytes: 1_000_000, limitBytes: 1_131_072 }],
    ['no burst of its own', 20e6, 0, { bytesPerSecond: 2_500_000, burstBytes: 131_072, limitBytes: 262_144 }],
    [
      'a burst that engines make up',
      20e6,
      2 ** 32 - 1,
      { bytesPerSecond: 2_500_000, burstBytes: 131_072, limitBytes: 262_144 },
    ],
    ['a burst less than a packet', 20e6, 8, { bytesPerSecond: 2_500_000, burstBytes: 1518, limitBytes: 132_590 }],
    ['much', 80e9, 0, { bytesPerSecond: 10e9, burstBytes: 100e6, limitBytes: 350e6 }],
    ['next to nothing', 1, 0, { bytesPerSecond: 1, burstBytes: 131_072, limitBytes: 262_144 }],
  ])('%s', (_, rate, burst, expected) => {
    expect(toTokenBucket(rate, burst, 1500)).toEqual(expected);
  });
});

describe('an earlier shaper', () => {
  const peer = (kind: string): { link: Link; qdiscs: Qdiscs } => ({
    link: { index: 9, name: 'veth9', hardwareType: 1, up: true, mtu: 1500, hasCarrier: true },
    qdiscs: { root: { kind, owner: 'others' } },
  });
  const nothing = { prevResult: { interfaces: [] }, qdiscs: {}, peer: undefined };

  const asked = { ingressRate: 20e6, ingressBurst: 8e6, egressRate: 4e6, egressBurst: 1e6 };
  const root = (kind: string, owner: 'berth' | 'kernel' | 'others'): { qdiscs: Qdiscs } => ({
    qdiscs: { root: { kind, owner } },
  });

  it.each([
    ['nothing', {}, undefined],
    [
      'its ifb',
      { prevResult: { interfaces: [{ name: 'bwp1234' }] } },
      { by: 'the interface bwp1234 of an earlier plugin', ways: 'both' },
    ],
    [
      'a pod’s own interface of such a name',
      { prevResult: { interfaces: [{ name: 'bwp1', sandbox: '/run/x' }] } },
      undefined,
    ],
    [
      'its bucket on the node',
      { peer: peer('tbf') },
      { by: "the tbf qdisc of veth9, the other end of the pod's interface", ways: 'both' },
    ],
    ['a fair queue on the node', { peer: peer('fq') }, undefined],
    [
      "somebody's on the interface",
      root('htb', 'others'),
      { by: "the htb qdisc of the pod's interface", ways: 'egress' },
    ],
    ["somebody's that limits nothing", root('pfifo', 'others'), undefined],
    ['our own', root('tbf', 'berth'), undefined],
    ["the kernel's", root('noqueue', 'kernel'), undefined],
  ])('is known by %s', (_, signs, expected) => {
    expect(findEarlierShaper({ ...nothing, ...signs }, asked)).toEqual(expected);
  });

  it('of what leaves the pod is nothing to a limit of what it receives', () => {
    const signs = { ...nothing, ...root('tbf', 'others') };
    expect(findEarlierShaper(signs, { egressRate: 0 })).toBe(undefined);
  });

  it('is left what it limits', () => {
    expect(withoutShaped(asked, undefined)).toEqual(asked);
    expect(withoutShaped(asked, { by: 'it', ways: 'both' })).toEqual({ ...asked, leftTo: 'it' });
    expect(withoutShaped(asked, { by: 'it', ways: 'egress' })).toEqual({ ...asked, egressRate: 0, egressBurst: 0 });
  });

  const interfaceWith = (found: { qdiscs: Qdiscs }) => ({ link: { name: 'eth0' }, ...found });

  it('is what no other root qdisc of somebody else may stand in for', () => {
    const [code, message] = refusal(() => refuseForeignQueue(asked, interfaceWith(root('pfifo', 'others'))));
    expect(code).toBe(101);
    expect(message).toContain('eth0 has a root qdisc that is not berth');
    expect(message).toContain('tc qdisc del dev eth0 root');
  });

  it.each([
    ['no limit is asked for', undefined, root('pfifo', 'others')],
    ['none of what leaves the pod', { ...asked, egressRate: 0 }, root('pfifo', 'others')],
    ['an earlier plugin limits', { ...asked, leftTo: 'it' }, root('pfifo', 'others')],
    ["it is the kernel's", asked, root('pfifo_fast', 'kernel')],
    ['it is ours', asked, root('tbf', 'berth')],
  ])('which is not refused where %s', (_, limits, found) => {
    expect(() => refuseForeignQueue(limits, interfaceWith(found))).not.toThrow();
  });
});
