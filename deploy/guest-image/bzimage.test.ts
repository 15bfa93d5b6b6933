import { describe, expect, it } from 'vitest';
import { parseBzImage } from './bzimage.ts';

const ZSTD = '28b52ffd0000';
const SETUP_SECTORS = 2;
const PROTECTED_MODE = (SETUP_SECTORS + 1) * 512;
const PAYLOAD = 64;

interface Variation {
  readonly magic?: string;
  readonly protocol?: number;
  readonly setupSectors?: number;
  readonly payloadLength?: number;
}

/** A payload of twelve bytes and the size of the ELF, 64 bytes into the protected-mode part. */
function image({
  magic = ZSTD,
  protocol = 0x20f,
  setupSectors = SETUP_SECTORS,
  payloadLength = 16,
}: Variation): Buffer {
  const bytes = Buffer.alloc(PROTECTED_MODE + 512);
  bytes[0x1f1] = setupSectors;
  bytes.write('HdrS', 0x202, 'latin1');
  bytes.writeUInt16LE(protocol, 0x206);
  bytes.writeUInt32LE(PAYLOAD, 0x248);
  bytes.writeUInt32LE(payloadLength, 0x24c);
  bytes.write(magic, PROTECTED_MODE + PAYLOAD, 'hex');
  bytes.writeUInt32LE(4711, PROTECTED_MODE + PAYLOAD + payloadLength - 4);
  return bytes;
}

describe('bzImage', () => {
  it.each([
    ['zstd', ZSTD],
    ['xz', 'fd377a585a00'],
  ])('finds a payload of %s, without the size behind it', (program, magic) => {
    expect(parseBzImage(image({ magic }))).toMatchObject({
      decompress: expect.arrayContaining([program]),
      start: PROTECTED_MODE + PAYLOAD,
      end: PROTECTED_MODE + PAYLOAD + 12,
      elfSizeBytes: 4711,
    });
  });

  it('reads no setup sectors as four, as the protocol says', () => {
    const long = Buffer.concat([image({ setupSectors: 0 }), Buffer.alloc(2048)]);
    long.write(ZSTD, 5 * 512 + PAYLOAD, 'hex');
    expect(parseBzImage(long).start).toBe(5 * 512 + PAYLOAD);
  });

  it.each([
    ['something else', Buffer.alloc(4096), /no setup header/],
    ['a few bytes', Buffer.from('HdrS'), /no setup header/],
    ['an old protocol', image({ protocol: 0x207 }), /boot protocol 0x207/],
    ['a cut file', image({}).subarray(0, PROTECTED_MODE + PAYLOAD + 8), /outside of the file/],
    ['an empty payload', image({ payloadLength: 4 }), /outside of the file/],
    ['gzip', image({ magic: '1f8b08000000' }), /starts with 1f8b08/],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => parseBzImage(bytes)).toThrow(message);
  });
});
