import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bool, bytes, message, messages, optional, string, strings, uint } from './protobuf.ts';

const inner = message({ name: string(1), size: uint(2) });
const outer = message({
  text: string(1),
  count: uint(2),
  flag: bool(3),
  blob: bytes(4),
  names: strings(5),
  parts: messages(6, inner),
  maybe: optional(20, inner),
});
const empty = outer.decode(new Uint8Array(0));

describe('protobuf', () => {
  it('reads a message of no bytes as all defaults', () => {
    expect(empty).toEqual({
      text: '',
      count: 0,
      flag: false,
      blob: new Uint8Array(0),
      names: [],
      parts: [],
      maybe: undefined,
    });
    expect(outer.encode(empty)).toHaveLength(0);
  });

  it.each([
    [{ text: 'testing' }, [0x0a, 7, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]], // the encoding guide's own example
    [{ count: 150 }, [0x10, 0x96, 0x01]], // and this one
    [{ count: 2 ** 32 }, [0x10, 0x80, 0x80, 0x80, 0x80, 0x10]],
    [{ flag: true }, [0x18, 1]],
    [{ names: ['', 'a'] }, [0x2a, 0, 0x2a, 1, 0x61]],
    [{ parts: [{ name: '', size: 0 }] }, [0x32, 0]],
    [{ maybe: { name: '', size: 1 } }, [0xa2, 0x01, 2, 0x10, 1]],
  ])('writes %j as the specification says', (value, expected) => {
    expect([...outer.encode(value)]).toEqual(expected);
    expect(outer.decode(Uint8Array.from(expected))).toEqual({ ...empty, ...value });
  });

  it.each([
    ['a varint above 2^53', [0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['64 bits', [0x79, 1, 2, 3, 4, 5, 6, 7, 8]],
    ['bytes', [0x7a, 2, 1, 2]],
    ['32 bits', [0x7d, 1, 2, 3, 4]],
  ])('skips an unknown field of %s', (_what, unknown) => {
    expect(outer.decode(Uint8Array.from([...unknown, 0x10, 7]))).toEqual({ ...empty, count: 7 });
  });

  it('takes the last of a scalar that comes twice', () => {
    expect(outer.decode(Uint8Array.of(0x10, 1, 0x10, 2)).count).toBe(2);
  });

  it.each([
    ['a tag without value', [0x10]],
    ['an unfinished number', [0x10, 0x80]],
    ['a number longer than ten bytes', [0x10, ...Array.from({ length: 10 }, () => 0x80), 1]],
    ['a number above 2^53', [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a length beyond the end', [0x0a, 5, 0x61]],
    ['another wire type than the table has', [0x08, 1]],
    ['a group', [0x7b]],
    ['an unknown field cut short', [0x79, 1, 2]],
  ])('refuses %s', (_what, input) => {
    expect(() => outer.decode(Uint8Array.from(input))).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('does not write %d, which is no count', (count) => {
    expect(() => outer.encode({ count })).toThrow(expect.objectContaining({ code: 'internal' }));
  });

  it('never throws anything but a Fault, and ends, whatever comes in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (input) => {
        try {
          outer.decode(input);
        } catch (error) {
          expect(error).toMatchObject({ name: 'Fault', code: 'malformed' });
        }
      }),
    );
  });

  it('reads a list in time that grows with its length', () => {
    const list = message({ items: strings(1) });
    const items = new Array<string>(400_000).fill('');
    const bytes = Uint8Array.from({ length: 2 * items.length }, (_, index) => (index % 2 === 0 ? 10 : 0));
    expect(list.decode(bytes).items.length).toBe(items.length);
    expect(list.decode(new Uint8Array(0)).items).toEqual([]);
  });
});
