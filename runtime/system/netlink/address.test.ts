import { describe, expect, it } from 'vitest';
import { encodeAddress, listAddresses, parseAddress } from './address.ts';
import { kernelMessage, toHex } from './kernel-message.ts';

const eth0 = { index: 3, name: 'eth0' };

describe('addresses', () => {
  it.each([
    [
      'IPv4',
      `58000000 1400 0200 07000000 17000000 02188000 03000000 08000100 0a010102 08000200 0a010102 08000400 0a0101ff
       09000300 6574683000 000000 08000800 80000000 14000600 ffffffff ffffffff 29804000 29804000`,
      { address: '10.1.1.2/24', broadcast: '10.1.1.255', scope: 0 },
    ],
    [
      'IPv4, point to point',
      `50000000 1400 0200 07000000 17000000 02208000 03000000 08000100 0a020009 08000200 0a020001
       09000300 6574683000 000000 08000800 80000000 14000600 ffffffff ffffffff 29804000 29804000`,
      { address: '10.2.0.1/32', peer: '10.2.0.9', scope: 0 },
    ],
    [
      'IPv6',
      `48000000 1400 0200 07000000 17000000 0a408200 03000000 14000100 fd000000000000000000000000000002
       14000600 ffffffff ffffffff 29804000 29804000 08000800 82000000`,
      { address: 'fd00::2/64', scope: 0 },
    ],
    [
      'IPv6 of one link',
      `50000000 1400 0200 07000000 17000000 0a40c0fd 03000000 14000100 fe80000000000000000000fffe000001
       14000600 ffffffff ffffffff 29804000 29804000 08000800 c0000000 05000b00 03000000`,
      { address: 'fe80::ff:fe00:1/64', scope: 253 },
    ],
  ])('reads an address: %s', (_, hex, expected) => {
    expect(parseAddress(kernelMessage(hex).payload)?.address).toEqual(expected);
  });

  it('passes over other families', () => {
    expect(parseAddress(Uint8Array.of(28, 0, 0, 0, 3, 0, 0, 0))).toBeUndefined();
  });

  const withFlags = (flags: string, scope = '00') =>
    `48000000 1400 0200 07000000 17000000 0a4082${scope} 03000000 14000100 fd000000000000000000000000000002
     14000600 ffffffff ffffffff 29804000 29804000 08000800 ${flags}`;
  const listed = (hex: string) => listAddresses({ request: () => [], dump: () => [kernelMessage(hex)] }, eth0);

  it.each([
    ['one that is still probed for duplicates', '40000000', [{ address: 'fd00::2/64', scope: 0 }]],
    ['a deprecated one, as such', 'a0000000', [{ address: 'fd00::2/64', scope: 0, deprecated: true }]],
    ['no temporary one', '01000000', []],
  ])('lists %s', (_, flags, expected) => {
    expect(listed(withFlags(flags))).toEqual(expected);
  });

  it.each([
    ['80000000', []],
    ['00000000', ['address fd00::2/64: its lifetime']],
    ['01000000', []],
  ])('tells of a lifetime, with flags %s', (flags, expected) => {
    const told: string[] = [];
    const netlink = { request: () => [], dump: () => [kernelMessage(withFlags(flags))] };
    listAddresses(netlink, eth0, (words) => told.push(words));
    expect(told).toEqual(expected);
  });

  it('refuses an address that another host has, unless the guest would not get it', () => {
    expect(() => listed(withFlags('c8000000'))).toThrow('fd00::2/64 of eth0 is a duplicate');
    expect(listed(withFlags('c8000000', 'fd'))).toEqual([]);
  });

  it('says of a deprecated address that it is preferred no longer, and valid for ever', () => {
    const { payload } = encodeAddress(eth0, { address: 'fd00::2/64', scope: 0, deprecated: true });
    expect(toHex(payload)).toContain('14000600' + '00000000' + 'ffffffff' + '00000000' + '00000000');
  });

  it('adds IPv4 without the route that the kernel would make', () => {
    const request = encodeAddress(eth0, { address: '10.1.1.2/24', broadcast: '10.1.1.255', scope: 0 });
    expect(request.words).toBe('add address 10.1.1.2/24 to eth0');
    expect(toHex(request.payload)).toBe(
      '02180000' + '03000000' + '080002000a010102' + '080001000a010102' + '080004000a0101ff' + '0800080000020000',
    );
  });

  it('adds IPv6 without looking for duplicates', () => {
    const { payload } = encodeAddress(eth0, { address: 'fd00::2/64', scope: 0 });
    expect(toHex(payload).slice(-16)).toBe('0800080002020000');
  });

  it.each([
    { address: '10.2.0.1/32', peer: '10.2.0.9', scope: 0 },
    { address: '10.1.1.2/24', broadcast: '10.1.1.255', scope: 253 },
    { address: 'fd00::2/64', scope: 0 },
  ])('says to the kernel what it would read from it: $address', (address) => {
    expect(parseAddress(encodeAddress(eth0, address).payload)?.address).toEqual(address);
  });
});
