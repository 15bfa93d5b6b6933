import { open, stat } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { FILESYSTEMS, type Filesystem } from '../../proto/volume-spec.ts';
import { parseFilesystemBytes, SUPERBLOCK_BYTES } from '../system/superblock.ts';

export interface ImageFacts {
  readonly sizeBytes: number;
  readonly fsType: Filesystem;
}

/**
 * Looks at the superblock of an image that somebody hands over, and no further. `wanted` is the file system that it is said
 * to have; undefined: whichever it has.
 */
export async function readImage(file: string, wanted: Filesystem | undefined): Promise<ImageFacts> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new Fault('not-found', `there is no image ${file}`, { fields: { file }, cause });
  });
  if (!found.isFile()) throw new Fault('invalid', `${file} is no regular file; an image is one`, { fields: { file } });
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(SUPERBLOCK_BYTES), position: 0 });
    return { sizeBytes: found.size, fsType: judgeImage(file, buffer.subarray(0, bytesRead), found.size, wanted) };
  } finally {
    await handle.close();
  }
}

/** The file system of an image that begins with `start`. Fault `invalid` if it is not the wanted one, or not one, or cut off. */
export function judgeImage(
  file: string,
  start: Uint8Array,
  sizeBytes: number,
  wanted: Filesystem | undefined,
): Filesystem {
  const refusal = (words: string): Fault => new Fault('invalid', `${file} ${words}`, { fields: { file } });
  const padded = new Uint8Array(SUPERBLOCK_BYTES);
  padded.set(start);
  const found = FILESYSTEMS.flatMap((fsType) => {
    const bytes = parseFilesystemBytes(fsType, padded);
    return bytes === undefined ? [] : [{ fsType, bytes }];
  });
  if (found.length === 0) throw refusal(`holds ${describeStranger(padded)}, and none of ${FILESYSTEMS.join(', ')}`);
  const names = found.map(({ fsType }) => fsType).join(' and ');
  if (wanted === undefined && found.length > 1) throw refusal(`has superblocks of ${names}; say which it is with --fs`);
  const chosen = wanted === undefined ? found[0] : found.find(({ fsType }) => fsType === wanted);
  if (chosen === undefined) throw refusal(`holds ${names}, not ${wanted}`);
  if (chosen.bytes > sizeBytes) {
    throw refusal(`has ${sizeBytes} bytes, but its ${chosen.fsType} covers ${chosen.bytes}: it was cut off`);
  }
  return chosen.fsType;
}

/** What is often handed over in place of a raw file system. */
function describeStranger(start: Uint8Array): string {
  const at = (offset: number, length: number): string =>
    String.fromCharCode(...start.subarray(offset, offset + length));
  if (at(0, 4) === 'QFI\xfb') return 'a qcow2 image ("qemu-img convert -O raw" makes it a raw one)';
  if (at(0, 6) === 'LUKS\xba\xbe') return 'an encrypted disk (LUKS)';
  if (at(510, 2) === '\x55\xaa') return 'a partition table (hand over the partition alone)';
  return start.some((byte) => byte !== 0) ? 'something unknown' : 'nothing at its beginning';
}
