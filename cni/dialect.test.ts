import { describe, expect, it } from 'vitest';
import { parseIfName } from '../proto/ids.ts';
import type { CniResult } from './chain-input.ts';
import { addGuestEnd, parseDialect } from './dialect.ts';
import { refusal } from './refusal.fixture.ts';

const TC = { mode: 'tc', queues: 1 } as const;

describe('dialect', () => {
  it.each([
    [{}, { kind: 'plain' }],
    [{ type: 'tc-redirect-tap' }, { kind: 'tc-redirect-tap', allIps: false }],
    [{ type: 'tc-redirect-tap', dialect: 'plain' }, { kind: 'plain' }],
    [
      { dialect: 'tc-redirect-tap', allIps: true },
      { kind: 'tc-redirect-tap', allIps: true },
    ],
  ])('of %j', (json, expected) => {
    expect(parseDialect(json, TC)).toEqual(expected);
  });

  it.each([
    [{ dialect: 'kata' }, TC, 7, 'dialect: '],
    [{ allIps: true }, TC, 7, 'allIps: is of dialect "tc-redirect-tap" alone'],
    [{ dialect: 'tc-redirect-tap' }, { mode: 'macvtap', queues: 1 }, 2, 'Firecracker opens TAPs alone'],
    [{ dialect: 'tc-redirect-tap' }, { mode: 'tc', queues: 2 }, 2, 'Firecracker opens TAPs of one queue'],
  ] as const)('is refused: %j', (json, wiring, code, message) => {
    const [foundCode, found] = refusal(() => parseDialect(json, wiring));
    expect(foundCode).toBe(code);
    expect(found).toContain(message);
  });
});

describe("the guest's end of a TAP", () => {
  const POD = { containerId: 'vm1', ifName: parseIfName('eth0'), mac: '02:00:00:00:00:01' };
  const result = (...ips: { address: string; interface?: number }[]): CniResult => ({
    cniVersion: '1.0.0',
    interfaces: [
      { name: 'eth0' },
      { name: 'eth0', sandbox: '/run/netns/vm1' },
      { name: 'net1', sandbox: '/run/netns/vm1' },
      { name: 'berth3', sandbox: '/run/netns/vm1' },
    ],
    ips,
  });
  const added = (ips: { address: string; interface?: number }[], allIps = false) =>
    addGuestEnd(result(...ips), allIps, POD).ips?.slice(ips.length);

  it('bears the name of the TAP, the MAC of the pod and the container id', () => {
    const { interfaces } = addGuestEnd(result(), false, POD);
    expect(interfaces.at(-1)).toEqual({ name: 'berth3', sandbox: 'vm1', mac: '02:00:00:00:00:01' });
  });

  const V4 = '10.1.1.2/24';
  const V6 = 'fd00::2/64';
  it.each([
    ['an address of the pod', [{ address: V4, interface: 1 }], [V4]],
    ['an address of no interface', [{ address: V4 }], [V4]],
    [
      'the first of IPv4',
      [
        { address: V6, interface: 1 },
        { address: V4, interface: 1 },
        { address: '10.9.9.9/8', interface: 1 },
      ],
      [V4],
    ],
    [
      "none of the host's, nor of another interface",
      [
        { address: V4, interface: 0 },
        { address: V4, interface: 2 },
        { address: V4, interface: 9 },
      ],
      [],
    ],
  ])('has %s', (_, ips, expected) => {
    expect(added(ips)?.map(({ address }) => address)).toEqual(expected);
    expect(added(ips)?.every((ip) => ip.interface === 4)).toBe(true);
  });

  it('has all where that is asked for, and is refused where there is no IPv4', () => {
    const ips = [
      { address: V6, interface: 1 },
      { address: 'fd00::3/64', interface: 1 },
    ];
    expect(added(ips, true)?.map(({ address }) => address)).toEqual([V6, 'fd00::3/64']);
    expect(refusal(() => added(ips))).toEqual([7, expect.stringContaining('eth0 has no IPv4 address')]);
  });
});
