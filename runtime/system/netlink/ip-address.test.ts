import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpAddress, parseIpAddress, parseIpPrefix } from './ip-address.ts';
import { toHex } from './kernel-message.ts';

describe('IP addresses', () => {
  it.each([
    ['10.1.1.2', '0a010102', '10.1.1.2'],
    ['0.0.0.0', '00000000', '0.0.0.0'],
    ['::', '00000000000000000000000000000000', '::'],
    ['::1', '00000000000000000000000000000001', '::1'],
    ['fd00::', 'fd000000000000000000000000000000', 'fd00::'],
    ['FD00:0:0:1::2', 'fd000000000000010000000000000002', 'fd00:0:0:1::2'],
    ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '20010000000000010000000000000001', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000', '1:2:3:4:5:6:7:0'],
    ['::ffff:10.1.1.2', '00000000000000000000ffff0a010102', '::ffff:10.1.1.2'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221', '64:ff9b::c000:221'],
  ])('reads %s', (text, hex, canonical) => {
    const { bytes, family } = parseIpAddress(text);
    expect(toHex(bytes)).toBe(hex);
    expect(family).toBe(text.includes(':') ? 6 : 4);
    expect(formatIpAddress(bytes)).toBe(canonical);
  });

  it.each([
    ...['', '10.1.1', '10.1.1.2.3', '10.1.1.256', '010.1.1.2', '10.1.1.x', ' 10.1.1.2', '1e1.1.1.1'],
    ...[':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', 'g::', '::1%eth0'],
    ...['::10.1.1', '10.1.1.2::', '1:10.1.1.2:2::'],
  ])('refuses %j', (text) => {
    expect(() => parseIpAddress(text)).toThrow('is not an IP address');
  });

  it('reads back what it prints', () => {
    const anyAddress = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
        .map((bytes) => Uint8Array.from(bytes)),
    );
    fc.assert(
      fc.property(anyAddress, (bytes) => {
        expect(parseIpAddress(formatIpAddress(bytes)).bytes).toEqual(bytes);
      }),
    );
  });
});

describe('prefixes', () => {
  it('reads address and length', () => {
    expect(parseIpPrefix('10.1.1.2/24')).toMatchObject({ family: 4, prefixLength: 24 });
    expect(parseIpPrefix('::/0')).toMatchObject({ family: 6, prefixLength: 0 });
  });

  it.each(['10.1.1.2', '10.1.1.2/', '10.1.1.2/33', 'fd00::/129', '10.1.1.2/24/8', '10.1.1.2/-1', '10.1.1.2/ 8'])(
    'refuses %j',
    (text) => {
      expect(() => parseIpPrefix(text)).toThrow('is not an IP address');
    },
  );
});
