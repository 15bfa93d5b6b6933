import { describe, expect, it } from 'vitest';
import { parseFilesystemBytes, SUPERBLOCK_BYTES } from './superblock.ts';

/** The start of a disk with these bytes in it, by offset. */
function disk(...parts: readonly (readonly [number, readonly number[]])[]): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK_BYTES);
  for (const [offset, part] of parts) bytes.set(part, offset);
  return bytes;
}

// As mkfs.ext4 -b 4096 of 5 TiB, mkfs.xfs of 1 TiB and mkfs.btrfs of 1 GiB wrote them.
const ext4 = [
  [0x400 + 0x4, [0, 0, 0, 0x50]],
  [0x400 + 0x18, [2, 0, 0, 0]],
  [0x400 + 0x38, [0x53, 0xef]],
] as const;
const is64Bit = [0x400 + 0x60, [0xc2, 2, 0, 0]] as const;
const xfs = [
  [0, [0x58, 0x46, 0x53, 0x42, 0, 0, 0x10, 0]],
  [8, [0, 0, 0, 0, 0x10, 0, 0, 0]],
] as const;
const btrfs = [
  [0x10040, [0x5f, 0x42, 0x48, 0x52, 0x66, 0x53, 0x5f, 0x4d]],
  [0x10070, [0, 0, 0, 0x40, 0, 0, 0, 0]],
] as const;

describe('parseFilesystemBytes', () => {
  it.each([
    ['ext4', disk(...ext4), 5 * 2 ** 40],
    ['ext4', disk(...ext4, is64Bit, [0x400 + 0x150, [1, 0, 0, 0]]), 21 * 2 ** 40],
    ['ext4', disk(...ext4, [0x400 + 0x150, [1, 0, 0, 0]]), 5 * 2 ** 40],
    ['xfs', disk(...xfs), 2 ** 40],
    ['btrfs', disk(...btrfs), 2 ** 30],
    ['xfs', disk(...ext4, ...btrfs), undefined],
    ['ext4', disk(...xfs, ...btrfs), undefined],
    ['btrfs', disk(...xfs, ...ext4), undefined],
    ['ext4', disk(...ext4).subarray(0, 4096), undefined],
  ] as const)('%s %#', (fsType, bytes, expected) => {
    expect(parseFilesystemBytes(fsType, bytes)).toBe(expected);
  });
});
