import { describe, expect, it } from 'vitest';
import { parseIfName } from '../proto/ids.ts';
import { describeReportedInterface } from './reported-interface.ts';

const eth0 = parseIfName('eth0');
const result = {
  interfaces: [
    { name: 'vpp-7' },
    { name: 'eth0', sandbox: '/run/netns/pod', mac: '02:00:00:00:00:0A', mtu: 9000, socketPath: '/run/vpp/7.sock' },
  ],
  ips: [
    { address: '10.1.1.2/24', gateway: '10.1.1.1', interface: 1 },
    { address: 'fd00::2/64', interface: 1 },
    { address: '10.9.0.1/24', interface: 0 },
  ],
  routes: [
    { dst: '0.0.0.0/0' },
    { dst: 'fd00:9::/64', gw: 'fd00::1', priority: 7, advmss: 1340, scope: 200 },
    { dst: 'fd00:8::/64' },
  ],
};

describe('an interface that is not the kernel’s', () => {
  it('is what the plugins before say', () => {
    const { link, addresses, routes } = describeReportedInterface(result, eth0);
    expect(link).toMatchObject({ index: 0, name: 'eth0', mac: '02:00:00:00:00:0a', mtu: 9000, up: true });
    expect(addresses.map(({ address }) => address)).toEqual(['10.1.1.2/24', 'fd00::2/64']);
    expect(routes.map(({ family, destination, gateway, metric }) => [family, destination, gateway, metric])).toEqual([
      [4, '0.0.0.0/0', '10.1.1.1', undefined],
      [6, 'fd00:9::/64', 'fd00::1', 7],
      [6, 'fd00:8::/64', undefined, undefined],
    ]);
    expect(routes[1]).toMatchObject({ scope: 200, metrics: [{ type: 8, value: 1340 }] });
  });

  it('is the same with null, or an empty text, for what is not there', () => {
    const [vpp, own] = result.interfaces;
    const [first, second, other] = result.ips;
    const nulls = {
      interfaces: [{ ...vpp, mac: null, mtu: null }, own],
      ips: [{ ...first, interface: null }, { ...second, gateway: '' }, other],
      routes: result.routes.map((route) => ({ gw: null, mtu: null, priority: null, table: null, ...route })),
    };
    expect(describeReportedInterface(nulls as typeof result, eth0)).toEqual(describeReportedInterface(result, eth0));
    expect(describeReportedInterface({ ...result, ips: null, routes: null }, eth0)).toMatchObject({ routes: [] });
  });

  it('has addresses in the kernel’s spelling, and nothing else', () => {
    const other = { ...result, ips: [{ address: 'FD00:0::2/64' }] };
    expect(describeReportedInterface(other, eth0).addresses).toEqual([{ address: 'fd00::2/64', scope: 0 }]);
    for (const address of ['banana', '10.1.1.2', '10.1.1.2/33'])
      expect(() => describeReportedInterface({ ...result, ips: [{ address }] }, eth0)).toThrow('prevResult.ips: ');
  });

  it('must have a MAC', () => {
    const interfaces = [{ name: 'eth0', sandbox: '/run/netns/pod', socketPath: '/run/vpp/7.sock' }];
    expect(() => describeReportedInterface({ interfaces }, eth0)).toThrow('has no mac that the guest could take over');
  });
});
