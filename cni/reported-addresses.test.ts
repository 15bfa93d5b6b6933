import { describe, expect, it } from 'vitest';
import type { CniResult } from './chain-input.ts';
import { refusal } from './refusal.fixture.ts';
import { findMissing, listReported, listUnplaced } from './reported-addresses.ts';

const result = (...ips: { address: string; interface?: number | null }[]): CniResult => ({
  interfaces: [{ name: 'eth0' }, { name: 'eth0', sandbox: '/run/netns/pod' }],
  ips,
});

describe('reported addresses', () => {
  it("are the pod's, or nobody's", () => {
    const ips = [
      { address: '10.0.0.1/24', interface: 0 },
      { address: '10.0.0.2/24', interface: 1 },
      { address: '10.0.0.3/24', interface: null },
      { address: '10.0.0.4/24' },
      { address: '10.0.0.5/24', interface: 7 },
    ];
    expect(listReported(result(...ips), 'eth0')).toEqual(['10.0.0.2/24', '10.0.0.3/24', '10.0.0.4/24']);
    expect(listUnplaced(result(...ips))).toEqual(['10.0.0.5/24']);
    expect(listReported({ interfaces: [], ips: null }, 'eth0')).toEqual([]);
    expect(listUnplaced({ interfaces: [] })).toEqual([]);
  });

  it('are there in any spelling, with any prefix length', () => {
    const reported = ['10.0.0.2/24', '10.0.0.2', 'FD00:0::2/64', 'fd00::2/128'];
    expect(findMissing(reported, ['10.0.0.2', 'fd00::2'])).toEqual([]);
    expect(findMissing(['10.0.0.9/24', ...reported], ['fd00::2'])).toEqual(['10.0.0.9', '10.0.0.2', '10.0.0.2']);
  });

  it.each(['banana', '', '/24', '10.0.0.256/24'])('that are none are refused: %j', (address) => {
    expect(refusal(() => findMissing([address], ['10.0.0.2']))).toEqual([
      7,
      expect.stringContaining(`prevResult.ips: ${JSON.stringify(address)} is no address`),
    ]);
  });
});
