import { O, sys } from '../../runtime/system/native/sys.ts';
import { withOpen } from '../../runtime/system/native/with-open.ts';
import { orRefuse } from './refusal.ts';

/** linux/fs.h and linux/fiemap.h */
const FICLONE = 0x40049409;
const FS_IOC_FIEMAP = 0xc020660b;
const FIEMAP_FLAG_SYNC = 1;
const MAP_BYTES = 32;
const EXTENT_BYTES = 56;
const EXTENT_LAST = 0x1;
const EXTENT_UNWRITTEN = 0x800;
/** UNKNOWN, DELALLOC, ENCODED, DATA_ENCRYPTED, NOT_ALIGNED, DATA_INLINE, DATA_TAIL: equal places are not equal data. */
const EXTENT_UNPLACED = 0x2 | 0x4 | 0x8 | 0x80 | 0x100 | 0x200 | 0x400;
/** Of one reply: 4,096 extents are some 100 KiB of message. */
const PAGE_EXTENTS = 4096;

/** Other file system, other attributes (btrfs +C), swap files: the kernel says EINVAL or EXDEV of what cannot be shared. */
const UNSHAREABLE = { EXDEV: 'unsupported', EINVAL: 'unsupported' } as const;

interface Extent {
  readonly logical: number;
  readonly physical: number;
  readonly length: number;
  readonly isUnwritten: boolean;
  readonly isPlaced: boolean;
}

export function clone(from: string, to: string): object {
  const message = `could not share the content of ${from} with ${to}`;
  orRefuse(
    message,
    to,
    () =>
      withOpen(from, O.RDONLY, (source) =>
        withOpen(to, O.WRONLY | O.CREAT, (copy) => sys.ioctl(copy, FICLONE, source)),
      ),
    UNSHAREABLE,
  );
  return {};
}

export function allocate(path: string, sizeBytes: number): object {
  orRefuse(`could not allocate ${sizeBytes} bytes for ${path}`, path, () =>
    withOpen(path, O.RDWR, (fd) => sys.fallocate(fd, 0, 0, sizeBytes)),
  );
  return {};
}

/** Extents from the byte `start` on, as many as one reply takes. */
export function readExtents(path: string, start: number): { extents: Extent[]; isLast: boolean } {
  const argument = new Uint8Array(MAP_BYTES + PAGE_EXTENTS * EXTENT_BYTES);
  const view = new DataView(argument.buffer);
  view.setBigUint64(0, BigInt(start), true);
  view.setBigUint64(8, 2n ** 64n - 1n - BigInt(start), true);
  view.setUint32(16, FIEMAP_FLAG_SYNC, true);
  view.setUint32(24, PAGE_EXTENTS, true);
  orRefuse(`could not read where the data of ${path} are`, path, () =>
    withOpen(path, O.RDONLY, (fd) => sys.ioctl(fd, FS_IOC_FIEMAP, argument)),
  );
  const count = view.getUint32(20, true);
  const extents: Extent[] = [];
  let isLast = count < PAGE_EXTENTS;
  for (let at = MAP_BYTES; at < MAP_BYTES + count * EXTENT_BYTES; at += EXTENT_BYTES) {
    const flags = view.getUint32(at + 40, true);
    extents.push({
      logical: Number(view.getBigUint64(at, true)),
      physical: Number(view.getBigUint64(at + 8, true)),
      length: Number(view.getBigUint64(at + 16, true)),
      isUnwritten: (flags & EXTENT_UNWRITTEN) !== 0,
      isPlaced: (flags & EXTENT_UNPLACED) === 0,
    });
    if ((flags & EXTENT_LAST) !== 0) isLast = true;
  }
  return { extents, isLast };
}
