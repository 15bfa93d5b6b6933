import { describe, expect, it } from 'vitest';
import type { NicRoute } from '../../../proto/network-attachment.ts';
import type { Netlink } from './connection.ts';
import { kernelMessage, toHex } from './kernel-message.ts';
import { encodeRoute, listRoutes, parseRoute } from './route.ts';

const eth0 = { index: 3, name: 'eth0' };
const plain = { scope: 0, type: 1, protocol: 3, table: 254, onlink: false } as const;

const CONNECTED = `
  3c000000 1800 0200 07000000 17000000 02180000 fe02fd01 00000000 08000f00 fe000000
  08000100 0a010100 08000700 0a010102 08000400 03000000`;
const MULTIPATH = `
  50000000 1800 0200 07000000 17000000 02100000 fe030001 00000000 08000f00 fe000000 08000100 0a0b0000
  24000900 10000000 03000000 08000500 0a010105 10000000 03000000 08000500 0a010106`;

describe('parseRoute', () => {
  it.each<[string, string, NicRoute]>([
    [
      'connected',
      CONNECTED,
      { ...plain, family: 4, destination: '10.1.1.0/24', source: '10.1.1.2', scope: 253, protocol: 2 },
    ],
    [
      'onlink with everything',
      `58000000 1800 0200 07000000 17000000 02100000 fe030001 04000000 08000f00 fe000000 08000100 0a090000
       08000600 32000000 0c000800 08000200 14050000 08000700 0a010102 08000500 a9fe0101 08000400 03000000`,
      {
        ...plain,
        family: 4,
        destination: '10.9.0.0/16',
        gateway: '169.254.1.1',
        source: '10.1.1.2',
        metric: 50,
        mtu: 1300,
        onlink: true,
      },
    ],
    [
      'IPv4 by way of IPv6',
      `4c000000 1800 0200 07000000 17000000 02100000 fe030001 00000000 08000f00 fe000000 08000100 0a0a0000
       16001200 0a00 fe800000000000000000000000000001 0000 08000400 03000000`,
      { ...plain, family: 4, destination: '10.10.0.0/16', gateway: 'fe80::1' },
    ],
    [
      'a table beyond 255',
      `34000000 1800 0200 07000000 17000000 02100000 fc03fd01 00000000 08000f00 e8030000 08000100 0a0c0000
       08000400 03000000`,
      { ...plain, family: 4, destination: '10.12.0.0/16', scope: 253, table: 1000 },
    ],
    [
      'IPv6 default',
      `74000000 1800 0200 07000000 17000000 0a000000 fe030001 00000000 08000f00 fe000000 08000600 00040000
       14000500 fd000000000000000000000000000001 08000400 03000000
       24000c00 0000000000000000000000000000000000000000000000000000000000000000 05001400 00000000`,
      { ...plain, family: 6, destination: '::/0', gateway: 'fd00::1', metric: 1024 },
    ],
  ])('reads a route: %s', (_, hex, route) => {
    expect(parseRoute(kernelMessage(hex).payload)).toEqual({ route, interfaces: [3] });
  });

  it('reads the interfaces of several next hops', () => {
    expect(parseRoute(kernelMessage(MULTIPATH).payload)?.interfaces).toEqual([3, 3]);
  });

  it('passes over cached exceptions and other families', () => {
    const cloned = CONNECTED.replace('fe02fd01 00000000', 'fe02fd01 00020000');
    expect(parseRoute(kernelMessage(cloned).payload)).toBeUndefined();
    expect(parseRoute(kernelMessage(CONNECTED.replace('02180000', '1c180000')).payload)).toBeUndefined();
  });
});

describe('listRoutes', () => {
  const answering = (...hex: readonly string[]): Netlink => ({
    request: () => [],
    dump: () => hex.map(kernelMessage),
  });

  it('keeps to the interface, of every table but the one that the kernel fills', () => {
    const elsewhere = CONNECTED.replace('08000400 03000000', '08000400 09000000');
    const inTable = (table: string) =>
      CONNECTED.replace('fe02fd01', `${table}02fd01`).replace('08000f00 fe000000', `08000f00 ${table}000000`);
    const found = listRoutes(answering(CONNECTED, elsewhere, inTable('ff'), inTable('64')), eth0);
    expect(found.map(({ destination, table }) => [destination, table])).toEqual([
      ['10.1.1.0/24', 254],
      ['10.1.1.0/24', 100],
    ]);
  });

  it('has of two that are the same route to the kernel the first, and tells of the other', () => {
    const told: string[] = [];
    const other = CONNECTED.replace('0a010102', '0a010103');
    const elsewhere = CONNECTED.replace('02180000', '02180010');
    const found = listRoutes(answering(CONNECTED, other, elsewhere), eth0, (words) => told.push(words));
    expect(found.map(({ source, tos }) => [source, tos])).toEqual([
      ['10.1.1.2', undefined],
      ['10.1.1.2', 16],
    ]);
    expect(told).toEqual(['route 10.1.1.0/24: another of its metric']);
  });

  const NETWORK = '60000000 1800 0200 07000000 17000000 0a400000 fe030001 00000000 08000f00 fe000000';
  const IPV6 = `${NETWORK} 14000100 fd090000000000000000000000000000 08000400 03000000`;
  const ENCAPSULATED = `${IPV6} 0c001600 0800010064000000 06001500 01000000`;

  it.each([
    [MULTIPATH, 'route 10.11.0.0/16 of eth0 has several next hops; give it one'],
    [ENCAPSULATED, 'route fd09::/64 of eth0 has an encapsulation; give it none'],
    [IPV6.replace('0a400000', '0a404000'), 'route fd09::/64 of eth0 has packets of some sources alone; give it all'],
  ])('refuses a route that it cannot tell the guest', (hex, message) => {
    expect(() => listRoutes(answering(hex), eth0)).toThrow(message);
    expect(listRoutes(answering(hex), { index: 7, name: 'eth1' })).toEqual([]);
  });

  it.each([
    ['24000c00 00000000 00000000 68d40100 0000000000000000000000000000000000000000', 'its lifetime'],
    ['05001400 01000000', "its router's preference"],
    ['10000800 0a001000 62627200 00000000', 'its congestion control'],
  ])('tells what it cannot tell the guest: %s', (attribute, words) => {
    const told: string[] = [];
    const [route] = listRoutes(answering(`${IPV6} ${attribute}`), eth0, (each) => told.push(each));
    expect(route).toEqual({ ...plain, family: 6, destination: 'fd09::/64' });
    expect(told).toEqual([`route fd09::/64: ${words}`]);
  });
});

describe('encodeRoute', () => {
  it('leaves the destination of a default route out', () => {
    const request = encodeRoute(eth0, { ...plain, family: 4, destination: '0.0.0.0/0', gateway: '10.1.1.1' });
    expect(request.words).toBe('set route 0.0.0.0/0 via 10.1.1.1 on eth0');
    expect(toHex(request.payload)).toBe(
      '02000000' + 'fe030001' + '00000000' + '08000f00fe000000' + '0800040003000000' + '080005000a010101',
    );
  });

  it.each<NicRoute>([
    { ...plain, family: 4, destination: '10.9.0.0/16', gateway: '169.254.1.1', metric: 5, mtu: 1300, onlink: true },
    { ...plain, family: 4, destination: '10.10.0.0/16', gateway: 'fe80::1' },
    { ...plain, family: 4, destination: '10.12.0.0/16', table: 1000, scope: 253 },
    { ...plain, family: 6, destination: 'fd00::/64', source: 'fd00::2', metric: 256 },
    { ...plain, family: 4, destination: '10.13.0.0/16', tos: 16, metrics: [{ type: 8, value: 1260 }] },
    { ...plain, family: 4, destination: '10.14.0.0/16', mtu: 1300, metrics: [{ type: 1, value: 4 }] },
  ])('says to the kernel what it would read from it: $destination', (route) => {
    expect(parseRoute(encodeRoute(eth0, route).payload)).toEqual({ route, interfaces: [3] });
  });
});
