import { O, sys } from './sys.ts';

const SEEK_SET = 0;

/** The last bytes of a file, as `System.readTail` says. */
export function readTail(path: string, maxBytes: number): Uint8Array {
  const fd = sys.open(path, O.RDONLY);
  try {
    const { size } = sys.fstat(fd);
    const bytes = new Uint8Array(Math.min(size, maxBytes));
    sys.lseek(fd, size - bytes.length, SEEK_SET);
    let length = 0;
    while (length < bytes.length) {
      const count = sys.read(fd, bytes, length);
      // It may become shorter meanwhile.
      if (count <= 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } finally {
    sys.close(fd);
  }
}
