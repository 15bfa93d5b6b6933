import { describe, expect, it } from 'vitest';
import { Attributes } from './attributes.ts';
import { fromHex, kernelMessage, toHex } from './kernel-message.ts';
import { parseLink } from './link.ts';
import { encodeMessage, parseMessages, parseVerdict } from './message.ts';
import { MessageBuilder } from './message-builder.ts';
import { parseFilter } from './redirect.ts';
import { parseRoute } from './route.ts';

describe('netlink messages', () => {
  it('frames a payload with its header', () => {
    const message = { type: 36, flags: 0x605, sequence: 7, payload: fromHex('01020304') };
    expect(toHex(encodeMessage(message))).toBe('14000000 2400 0506 07000000 00000000 01020304'.replaceAll(' ', ''));
  });

  it('pads attributes but does not count the padding', () => {
    const built = new MessageBuilder().textAttribute(1, 'ingress').u8Attribute(2, 9).u32Attribute(3, 0xfffffff1);
    expect(toHex(built.finish())).toBe('0c000100696e677265737300' + '0500020009000000' + '08000300f1ffffff');
  });

  it('grows, and closes nested attributes at the right length', () => {
    const long = 'x'.repeat(1000);
    const built = new MessageBuilder()
      .attribute(7, (outer) => outer.textAttribute(1, long).u32Attribute(2, 5))
      .finish();
    const outer = new Attributes(built).nested(7);
    expect(outer?.text(1)).toBe(long);
    expect(outer?.u32(2)).toBe(5);
  });

  it('cuts a datagram into messages', () => {
    const two = fromHex('11000000 0300 0200 07000000 00000000 aa000000 10000000 0100 0000 08000000 00000000');
    expect(parseMessages(two).map(({ type, sequence, payload }) => [type, sequence, payload.length])).toEqual([
      [3, 7, 1],
      [1, 8, 0],
    ]);
  });

  it.each([
    ['runs past the end', '20000000 0300 0200 07000000 00000000'],
    ['is shorter than its header', '0f000000 0300 0200 07000000 00000000'],
  ])('refuses a message that %s', (_, hex) => {
    expect(() => parseMessages(fromHex(hex))).toThrow(/netlink message of/);
  });

  it('refuses an object that ends within its structure', () => {
    for (const parse of [parseLink, parseRoute, parseFilter]) {
      expect(() => parse(fromHex('02180000'))).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });

  it('refuses an attribute that runs past the end', () => {
    expect(() => new Attributes(fromHex('0900010061626364'))).toThrow('netlink attribute of 9 bytes where 8 are left');
    expect(() => new Attributes(fromHex('00000100'))).toThrow(/netlink attribute of 0 bytes/);
  });

  it('reads an attribute without its flags', () => {
    expect(new Attributes(fromHex('08000380 05000000')).u32(3)).toBe(5);
  });
});

describe('parseVerdict', () => {
  it("reads errno and the kernel's explanation", () => {
    const refusal = kernelMessage(`
      4c000000 0200 0003 07000000 17000000 efffffff 30000000 2400 0506 07000000 00000000
      27000100 4578636c7573697669747920666c6167206f6e2c2063616e6e6f74206d6f6469667900 00`);
    expect(parseVerdict(refusal)).toEqual({ errno: 17, explanation: 'Exclusivity flag on, cannot modify' });
  });

  it('finds the explanation behind a request that is repeated whole', () => {
    const refusal = kernelMessage(`
      34000000 0200 0002 07000000 17000000 eaffffff 14000000 1200 0500 07000000 00000000 aabbccdd
      07000100 6e6f0000`);
    expect(parseVerdict(refusal)).toEqual({ errno: 22, explanation: 'no' });
  });

  it('reads success, and the end of a dump', () => {
    expect(
      parseVerdict(kernelMessage('24000000 0200 0001 07000000 17000000 00000000 14000000 10000500 07000000 00000000')),
    ).toEqual({ errno: 0 });
    expect(parseVerdict(kernelMessage('14000000 0300 0200 07000000 17000000 00000000'))).toEqual({ errno: 0 });
    expect(parseVerdict(kernelMessage('14000000 0300 0200 07000000 17000000 f4ffffff'))).toEqual({ errno: 12 });
  });
});
