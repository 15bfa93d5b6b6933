import { describe, expect, it } from 'vitest';
import { toNicAddress, toNicRoute } from './network.ts';

describe('what the wire leaves empty', () => {
  it('is absent of an address', () => {
    const address = { address: '10.0.0.2/24', peer: '', broadcast: '', scope: 0, deprecated: false };
    expect(toNicAddress(address)).toEqual({ address: '10.0.0.2/24', scope: 0 });
    const full = { ...address, peer: '10.0.0.1', broadcast: '10.0.0.255', deprecated: true };
    expect(toNicAddress(full)).toEqual(full);
  });

  it('is absent of a route, and every other field is kept', () => {
    const kept = { destination: '::/0', scope: 253, type: 1, protocol: 186, table: 1000, onlink: true };
    const empty = { ...kept, family: 6, gateway: '', source: '', metric: 0, mtu: 0, tos: 0, metrics: [] };
    expect(toNicRoute(empty)).toEqual({ ...kept, family: 6 });
    const full = {
      ...empty,
      gateway: 'fe80::1',
      source: 'fd00::2',
      metric: 5,
      mtu: 1400,
      tos: 8,
      metrics: [{ type: 8, value: 1360 }],
    };
    expect(toNicRoute(full)).toEqual(full);
  });
});
