import { Fault } from '../../proto/fault.ts';
import { attempt } from '../system/native/errors.ts';
import { O, sys } from '../system/native/sys.ts';
import { withOpen } from '../system/native/with-open.ts';
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

/** Number of a disk's device node. */
export function readDeviceNumber(device: string): { major: number; minor: number } {
  const numbers = readText(`/sys/class/block/${device.slice(device.lastIndexOf('/') + 1)}/dev`);
  const [, major, minor] = /^(\d+):(\d+)$/.exec(numbers?.trim() ?? '') ?? [];
  if (major !== undefined) return { major: Number(major), minor: Number(minor) };
  throw new Fault('not-found', `the kernel knows no number of ${device}`, { fields: { device } });
}

/** Bytes of a disk, as the kernel knows it now. */
export function diskBytes(device: string): number {
  return withDisk(device, (fd) => sys.lseek(fd, 0, SEEK.END));
}

/** The first `length` bytes of a disk; fewer if it is smaller. */
export function readStart(device: string, length: number): Uint8Array {
  return withDisk(device, (fd) => {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, sys.read(fd, bytes));
  });
}

/**
 * Whether both ends of the disk are zero: data need no signature to be data. Fault `io` unless both can be read, since
 * blkid finds no signature on a disk that it cannot read either.
 */
export function hasZeroEnds(device: string): boolean {
  return withDisk(device, (fd) => {
    const words = new Uint32Array(ENDS_BYTES / Uint32Array.BYTES_PER_ELEMENT);
    const isZero = (): boolean => {
      sys.read(fd, new Uint8Array(words.buffer));
      return words.every((word) => word === 0);
    };
    const startIsZero = isZero();
    sys.lseek(fd, Math.max(0, sys.lseek(fd, 0, SEEK.END) - ENDS_BYTES), SEEK.SET);
    return isZero() && startIsZero;
  });
}

function withDisk<T>(device: string, body: (fd: number) => T): T {
  return attempt(`could not read from ${device}`, () => withOpen(device, O.RDONLY, body));
}
