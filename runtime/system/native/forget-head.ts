import { forgive } from './errors.ts';
import { O, sys } from './sys.ts';
import { withOpen } from './with-open.ts';

/** FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, linux/falloc.h */
const PUNCH_HOLE = 0x03;
const BLOCK_BYTES = 512;

/**
 * Frees what a file takes beyond its last `keptBytes`, once that is as much again: whoever has it open writes on where it
 * was, and whoever reads it finds zeros in place of what was first. Nothing happens where the file system makes no holes.
 */
export function forgetHead(path: string, keptBytes: number): void {
  const { blocks, size } = sys.stat(path) ?? { blocks: 0, size: 0 };
  if (blocks * BLOCK_BYTES <= 2 * keptBytes) return;
  withOpen(path, O.WRONLY, (fd) =>
    forgive(['EOPNOTSUPP'], undefined, () => sys.fallocate(fd, PUNCH_HOLE, 0, size - keptBytes)),
  );
}
