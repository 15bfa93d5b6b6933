import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HelloScanner, helloLine } from './hello.ts';

const NONCE = '00112233445566778899aabbccddeeff';
const OTHER = 'ffeeddccbbaa99887766554433221100';

/** Pushes `input` in pieces of the given sizes; the finding with everything that follows it. */
function scan(scanner: HelloScanner, input: Uint8Array, sizes: readonly number[]) {
  for (let offset = 0, turn = 0; offset < input.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    const found = scanner.push(input.subarray(offset, offset + size));
    offset += size;
    if (found !== undefined) return { nonce: found.nonce, rest: [...found.rest, ...input.subarray(offset)] };
  }
  return undefined;
}

const join = (...parts: (Uint8Array | readonly number[])[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

describe('hello', () => {
  it('is found behind any rubbish, in any pieces, and loses nothing of what follows', () => {
    const rubbish = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.constantFrom(...['BERTH-', 'BERTH-HELLO/1 ', 'BERTH-HELLO/1 00'].map(latin1)),
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(rubbish, fc.uint8Array({ maxLength: 40 }), sizes, (before, after, pieces) => {
        const found = scan(new HelloScanner(), join(before, helloLine(NONCE), after), pieces);
        expect(found).toEqual({ nonce: NONCE, rest: [...after] });
      }),
    );
  });

  it('passes over lines of another nonce when one is wanted', () => {
    const input = join(helloLine(OTHER), [1, 2], helloLine(NONCE), [3]);
    expect(scan(new HelloScanner(NONCE), input, [7])).toEqual({ nonce: NONCE, rest: [3] });
    expect(scan(new HelloScanner(), input, [7])).toMatchObject({ nonce: OTHER });
  });

  it.each(['BERTH-HELLO/2 ', 'berth-hello/1 '])('is not %j', (magic) => {
    expect(scan(new HelloScanner(), latin1(`${magic}${NONCE}\n`), [64])).toBeUndefined();
  });

  it.each([`${NONCE.slice(1)}X`, NONCE.toUpperCase()])('takes no nonce %j', (nonce) => {
    expect(scan(new HelloScanner(), latin1(`BERTH-HELLO/1 ${nonce}\n`), [64])).toBeUndefined();
  });
});
