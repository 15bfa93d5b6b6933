import { attempt } from '../system/native/errors.ts';
import { O, sys } from '../system/native/sys.ts';
import { awaitFound } from './await-found.ts';
import { readText } from './files.ts';

const APPEARS_WITHIN_MS = 10_000;
const SEEK = { SET: 0, END: 2 } as const;
/** Most signatures lie in the first bytes of a disk, those of RAID members in its last. */
const ENDS_BYTES = 128 << 10;

/** The device node of the disk with this serial, whatever its name and place on the bus: `/dev/vdb`. */
export async function awaitDisk(serial: string): Promise<string> {
  return awaitFound(`the disk with serial ${serial}`, APPEARS_WITHIN_MS, () => findDisk(serial));
}

function findDisk(serial: string): string | undefined {
  const name = sys.readdir('/sys/block').find((disk) => readText(`/sys/block/${disk}/serial`)?.trim() === serial);
  return name !== undefined && sys.stat(`/dev/${name}`) !== null ? `/dev/${name}` : undefined;
}

/**
 * Whether both ends of the disk are zero: data need no signature to be data. Fault `io` unless both can be read, since
 * blkid finds no signature on a disk that it cannot read either.
 */
export function hasZeroEnds(device: string): boolean {
  return attempt(`could not read from ${device}`, () => {
    const fd = sys.open(device, O.RDONLY);
    try {
      const words = new Uint32Array(ENDS_BYTES / Uint32Array.BYTES_PER_ELEMENT);
      const isZero = (): boolean => {
        sys.read(fd, new Uint8Array(words.buffer));
        return words.every((word) => word === 0);
      };
      const startIsZero = isZero();
      sys.lseek(fd, Math.max(0, sys.lseek(fd, 0, SEEK.END) - ENDS_BYTES), SEEK.SET);
      return isZero() && startIsZero;
    } finally {
      sys.close(fd);
    }
  });
}
