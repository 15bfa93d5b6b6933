import { describe, expect, it } from 'vitest';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { Qdiscs } from '../runtime/system/netlink/qdisc.ts';
import { findEarlierShaper, toTokenBucket } from './shape.ts';

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

  it.each([
    ['nothing', {}, undefined],
    ['its ifb', { prevResult: { interfaces: [{ name: 'bwp1234' }] } }, 'the interface bwp1234 of an earlier plugin'],
    [
      'a pod’s own interface of such a name',
      { prevResult: { interfaces: [{ name: 'bwp1', sandbox: '/run/x' }] } },
      undefined,
    ],
    ['its bucket on the node', { peer: peer('tbf') }, "the tbf qdisc of veth9, the other end of the pod's interface"],
    ['a fair queue on the node', { peer: peer('fq') }, undefined],
    ["somebody's on the interface", { qdiscs: peer('htb').qdiscs }, "the htb qdisc of the pod's interface"],
    ['our own', { qdiscs: { root: { kind: 'tbf', owner: 'berth' } } as Qdiscs }, undefined],
    ["the kernel's", { qdiscs: { root: { kind: 'noqueue', owner: 'kernel' } } as Qdiscs }, undefined],
  ])('is known by %s', (_, signs, expected) => {
    expect(findEarlierShaper({ ...nothing, ...signs })).toBe(expected);
  });
});
