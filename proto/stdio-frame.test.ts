import { describe, expect, it } from 'vitest';
import { encodeStdioFrame, MAX_DATA_BYTES, STDOUT, type StdioFrame, StdioFrameDecoder } from './stdio-frame.ts';

const frame: StdioFrame = {
  kind: 'data',
  stdioId: 7,
  stream: STDOUT,
  offset: 2 ** 40 + 1,
  data: new Uint8Array([1, 2]),
};

describe('stdio frames', () => {
  it('are what was sent, also a byte at a time', () => {
    const decoder = new StdioFrameDecoder();
    const bytes = [...encodeStdioFrame(frame), ...encodeStdioFrame({ ...frame, kind: 'end', data: new Uint8Array(0) })];
    expect(bytes.flatMap((byte) => decoder.push(Uint8Array.of(byte)))).toEqual([
      frame,
      { ...frame, kind: 'end', data: new Uint8Array(0) },
    ]);
  });

  it.each([
    ['a kind', 0, 3],
    ['a stream', 1, 3],
    ['a length', 3, (MAX_DATA_BYTES >> 8) + 1],
    ['an offset beyond 2^53', 14, 0x20],
  ])('with %s that no peer sends are malformed', (_what, at, value) => {
    const bytes = encodeStdioFrame(frame);
    bytes[at] = value;
    expect(() => new StdioFrameDecoder().push(bytes)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
