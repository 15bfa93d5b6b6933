import { closeSync, fstatSync, open, read } from 'node:fs';
import { promisify } from 'node:util';

const CHUNK_BYTES = 16 << 10;

/**
 * A whole file, as readFile of Node has it, in two turns of the thread pool instead of five. Most files are records, which
 * one read takes whole: one of which the kernel says that it is no longer needs no second to find its end.
 */
export async function readWhole(path: string): Promise<Buffer> {
  const fd = await calls.open(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let total = 0; ; ) {
      const { bytesRead, buffer } = await calls.read(fd, Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
      chunks.push(buffer.subarray(0, bytesRead));
      total += bytesRead;
      if (bytesRead === 0 || isAllOf(fd, total)) return Buffer.concat(chunks);
    }
  } finally {
    closeSync(fd);
  }
}

/** Not of what the kernel makes up while it is read: its size is 0. */
function isAllOf(fd: number, bytes: number): boolean {
  const found = fstatSync(fd);
  return found.isFile() && found.size === bytes;
}

const calls = { open: promisify(open), read: promisify(read) };
