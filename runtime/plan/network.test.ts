import { describe, expect, it } from 'vitest';
import type { NicConfig, NicRoute } from '../../proto/network-attachment.ts';
import { planNetwork } from './network.ts';
import { network } from './plan.fixture.ts';

const route = (destination: string, changes: Partial<NicRoute> = {}): NicRoute => ({
  family: destination.includes(':') ? 6 : 4,
  destination,
  scope: 0,
  type: 1,
  protocol: 3,
  table: 254,
  onlink: false,
  ...changes,
});

function withNic(ifName: string, changes: Partial<NicConfig>) {
  const attachment = network(ifName);
  if (attachment.nic === undefined) throw new Error('the sample is wired');
  return { ...attachment, nic: { ...attachment.nic, ...changes } };
}

describe('planNetwork', () => {
  it('gives the guest the MAC address and MTU of the pod interface, on its TAP', () => {
    const { nics, interfaces, choices } = planNetwork([network('eth0'), network('net10')], 1);
    expect(nics).toEqual([
      {
        id: 'nic0',
        device: { kind: 'tap', name: 'tap-eth0', ifIndex: 3, queues: 1, isMultiQueue: false },
        mac: '02:00:00:00:00:04',
        mtu: 1450,
      },
      {
        id: 'nic1',
        device: { kind: 'tap', name: 'tap-net10', ifIndex: 3, queues: 1, isMultiQueue: false },
        mac: '02:00:00:00:00:05',
        mtu: 1450,
      },
    ]);
    expect(interfaces.map(({ name, mac, mtu }) => [name, mac, mtu])).toEqual([
      ['eth0', '02:00:00:00:00:04', 1450],
      ['net10', '02:00:00:00:00:05', 1450],
    ]);
    expect(choices[0]).toEqual({
      source: 'interface eth0 of network pods',
      chosen: 'virtio-net on TAP tap-eth0',
      reason: 'the TAP that CNI ADD joined to the interface by tc redirect',
    });
  });

  it.each([
    [1, 4, 1, '', ''],
    [2, 1, 1, '; the guest uses a queue for each vCPU, 1 of its 2', ''],
    [4, 3, 3, '; the guest uses a queue for each vCPU, 3 of its 4', ' with 3 queues'],
    [2, 2, 2, '', ' with 2 queues'],
  ])('opens of %d queues with %d vCPUs %d', (queues, vcpus, opened, because, chosen) => {
    const attachment = network('eth0');
    const device = { kind: 'macvtap', mode: 'passthru', name: attachment.ifName, ifIndex: 3, queues } as const;
    const { nics, choices } = planNetwork([{ ...attachment, device }], vcpus);
    expect(nics[0]?.device).toEqual({
      kind: 'macvtap',
      name: 'eth0',
      ifIndex: 3,
      queues: opened,
      isMultiQueue: queues > 1,
    });
    expect(choices[0]).toMatchObject({
      chosen: `virtio-net on macvtap eth0${chosen}`,
      reason: `the macvtap that CNI ADD put on the interface${because}`,
    });
  });

  it.each([
    [{ kind: 'vhost-user', socketPath: '/run/vhost.sock' } as const, 'the vhost-user socket /run/vhost.sock'],
    [{ kind: 'physical', pciId: '0000:00:1f.6' } as const, 'the PCI device 0000:00:1f.6'],
  ])('refuses what needs no TAP: %j', (device, found) => {
    expect(() => planNetwork([{ ...network('eth0'), device }], 1)).toThrow(
      `interface eth0 of network pods is ${found}, which berth cannot attach; use a CNI plugin that makes a veth`,
    );
  });

  it('passes on routes in their order', () => {
    const routes = [
      route('10.1.0.1/32', { scope: 253, source: '10.1.0.2' }),
      route('0.0.0.0/0', { gateway: '10.1.0.1' }),
      route('::/0', { gateway: 'fe80::1', metric: 1024, mtu: 1400, onlink: true, metrics: [{ type: 8, value: 1340 }] }),
    ];
    const [planned] = planNetwork([withNic('eth0', { routes })], 1).interfaces;
    expect(planned?.routes.map(({ destination }) => destination)).toEqual(['10.1.0.1/32', '0.0.0.0/0', '::/0']);
    expect(planned?.routes[2]).toEqual({
      family: 6,
      destination: '::/0',
      gateway: 'fe80::1',
      source: '',
      scope: 0,
      type: 1,
      protocol: 3,
      table: 254,
      metric: 1024,
      mtu: 1400,
      tos: 0,
      metrics: [{ type: 8, value: 1340 }],
      onlink: true,
    });
  });

  it('passes on addresses and neighbours as they are', () => {
    const addresses = [
      { address: '10.1.0.2/32', peer: '10.1.0.1', scope: 0 },
      { address: 'fd00::2/64', broadcast: 'fd00::ff', scope: 253, deprecated: true },
    ];
    const neighbours = [{ address: '10.1.0.1', mac: '02:00:00:00:00:99' }];
    const [planned] = planNetwork([withNic('eth0', { addresses, neighbours })], 1).interfaces;
    expect(planned?.addresses).toEqual([
      { address: '10.1.0.2/32', peer: '10.1.0.1', broadcast: '', scope: 0, deprecated: false },
      { address: 'fd00::2/64', peer: '', broadcast: 'fd00::ff', scope: 253, deprecated: true },
    ]);
    expect(planned?.neighbours).toEqual(neighbours);
  });

  it('takes the DNS of the first interface that has any', () => {
    const dns = { nameservers: ['10.96.0.10'], search: ['svc.cluster.local'], options: ['ndots:5'] };
    const other = { nameservers: ['1.1.1.1'], search: [], options: [] };
    const networks = [network('a'), withNic('eth0', { dns }), withNic('net1.10', { dns: other })];
    expect(planNetwork(networks, 1).dns).toEqual(dns);
    expect(planNetwork([], 1).dns).toEqual({ nameservers: [], search: [], options: [] });
  });
});
