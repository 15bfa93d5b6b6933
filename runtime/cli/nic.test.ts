import { expect, it } from 'vitest';
import { networkAttachmentRecord } from '../../proto/network-attachment.ts';
import { formatNics, nicCommand } from './nic.ts';

const decode = (change: object) =>
  networkAttachmentRecord.decode(
    JSON.stringify({
      v: 2,
      state: 'wiring',
      network: 'net',
      containerId: 'c1',
      ifName: 'eth0',
      netnsPath: '/run/netns/c1',
      netnsId: '4:100',
      bootId: 'b1',
      ifIndex: 2,
      device: { kind: 'tap', name: 'berth2', queues: 1 },
      ownsIngress: true,
      ...change,
    }),
    'test',
  );

it('lists which interface leads to which device, with the addresses once they are known', () => {
  const address = { address: '10.1.0.2/24', scope: 0 };
  const nic = {
    mac: '02:00:00:00:00:01',
    mtu: 1500,
    addresses: [address, { ...address, address: 'fd00::2/64' }],
    routes: [],
    neighbours: [],
    dns: { nameservers: [], search: [], options: [] },
  };
  const macvtap = { kind: 'macvtap', name: 'berth2', queues: 4, mode: 'passthru' };
  const physical = { kind: 'physical', pciId: '0000:00:1f.6' };
  const records = [
    decode({}),
    decode({ containerId: 'c2', state: 'ready', nic, device: macvtap }),
    decode({ containerId: 'c3', device: physical }),
  ];
  expect(formatNics(records)).toBe(
    [
      'NETWORK  CONTAINER  INTERFACE  STATE   DEVICE                       QUEUES  ADDRESSES                NAMESPACE',
      'net      c1         eth0       wiring  TAP berth2                   1       -                        /run/netns/c1',
      'net      c2         eth0       ready   macvtap berth2, passthru     4       10.1.0.2/24, fd00::2/64  /run/netns/c1',
      'net      c3         eth0       wiring  the PCI device 0000:00:1f.6  -       -                        /run/netns/c1',
      '',
    ].join('\n'),
  );
});

it.each([
  [[], 'the verb ls is missing'],
  [['rm'], '"rm" is no verb'],
  [['ls', 'x'], 'too much'],
])('refuses %j', (args, message) => {
  expect(() => nicCommand.prepare(args)).toThrow(message);
});
