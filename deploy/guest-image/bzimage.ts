import { Fault } from '../../proto/fault.ts';

export interface CompressedKernel {
  /** Program that decompresses `payload` from its standard input to its standard output. */
  readonly decompress: readonly string[];
  /** Where the compressed ELF lies in the file. */
  readonly start: number;
  readonly end: number;
  /** What decompression must yield. */
  readonly elfSizeBytes: number;
}

const SECTOR = 512;
const SETUP_SECTORS = 0x1f1;
const HEADER_MAGIC = 0x202;
const PROTOCOL_VERSION = 0x206;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
/** The kernel's build appends the size of the ELF, 32 bits little-endian, to what zstd or xz wrote. */
const SIZE_LENGTH = 4;

const FORMATS = [
  { magic: '28b52ffd', decompress: ['zstd', '--decompress', '--stdout', '--quiet'] },
  { magic: 'fd377a585a00', decompress: ['xz', '--decompress', '--stdout'] },
];

/** Finds the ELF kernel inside a bzImage (The Linux/x86 boot protocol, payload_offset and payload_length, 2.08). */
export function parseBzImage(image: Buffer): CompressedKernel {
  if (image.length < PAYLOAD_LENGTH + 4 || image.toString('latin1', HEADER_MAGIC, HEADER_MAGIC + 4) !== 'HdrS') {
    throw new Fault('malformed', 'the kernel is no bzImage: it has no setup header');
  }
  const protocol = image.readUInt16LE(PROTOCOL_VERSION);
  if (protocol < 0x208) {
    throw new Fault(
      'unsupported',
      `the kernel has boot protocol 0x${protocol.toString(16)}; berth reads 0x208 and later`,
    );
  }
  const protectedMode = ((image[SETUP_SECTORS] || 4) + 1) * SECTOR;
  const start = protectedMode + image.readUInt32LE(PAYLOAD_OFFSET);
  const end = start + image.readUInt32LE(PAYLOAD_LENGTH) - SIZE_LENGTH;
  if (end <= start || end + SIZE_LENGTH > image.length) {
    throw new Fault('malformed', 'the kernel is no whole bzImage: its payload lies outside of the file');
  }
  const head = image.toString('hex', start, start + 6);
  const format = FORMATS.find(({ magic }) => head.startsWith(magic));
  if (format === undefined) {
    throw new Fault(
      'unsupported',
      `the kernel is compressed by something else than zstd or xz: it starts with ${head}`,
    );
  }
  return { decompress: format.decompress, start, end, elfSizeBytes: image.readUInt32LE(end) };
}
