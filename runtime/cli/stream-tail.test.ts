import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamTail } from './stream-tail.ts';

const KEPT_BYTES = 16;

describe('the tail of a stream', () => {
  it('has what follows an offset, if that is within what is kept', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 12 })), fc.nat(200), (chunks, offset) => {
        const tail = new StreamTail(KEPT_BYTES);
        for (const chunk of chunks) tail.push(chunk);
        const all = Buffer.concat(chunks);
        expect(tail.endOffset).toBe(all.length);
        const found = Buffer.concat(tail.from(offset));
        if (offset >= all.length - KEPT_BYTES || found.length > 0) expect(found).toEqual(all.subarray(offset));
      }),
    );
  });

  it('forgets what lies before, chunk by chunk', () => {
    const tail = new StreamTail(KEPT_BYTES);
    for (let index = 0; index < 100; index += 1) tail.push(new Uint8Array(10));
    expect(tail.from(979)).toEqual([]);
    expect(Buffer.concat(tail.from(980))).toHaveLength(20);
  });
});
