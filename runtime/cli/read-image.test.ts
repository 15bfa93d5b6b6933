import { describe, expect, it } from 'vitest';
import { SUPERBLOCK_BYTES } from '../system/superblock.ts';
import { judgeImage } from './read-image.ts';

const MIB = 1 << 20;
type Part = readonly [offset: number, bytes: string];

/** The start of an image with these in it. */
function image(...parts: readonly Part[]): Uint8Array {
  const start = Buffer.alloc(SUPERBLOCK_BYTES);
  for (const [offset, bytes] of parts) start.write(bytes, offset, 'latin1');
  return start;
}

// 64 MiB of ext4 in blocks of 4 KiB; 16 MiB of XFS; 128 MiB of btrfs.
const ext4: readonly Part[] = [
  [0x404, '\0\x40\0\0'],
  [0x418, '\x02\0\0\0'],
  [0x438, '\x53\xef'],
];
const xfs: readonly Part[] = [[0, 'XFSB\0\0\x10\0\0\0\0\0\0\0\x10\0']];
const btrfs: readonly Part[] = [
  [0x10040, '_BHRfS_M'],
  [0x10070, '\0\0\0\x08\0\0\0\0'],
];

describe('an image', () => {
  it.each([
    ['ext4', image(...ext4), undefined],
    ['ext4', image(...ext4), 'ext4'],
    ['xfs', image(...xfs), undefined],
    ['btrfs', image(...btrfs), 'btrfs'],
    ['xfs', image(...xfs, ...ext4), 'xfs'],
  ] as const)('is of %s', (fsType, start, wanted) => {
    expect(judgeImage('disk.raw', start, 128 * MIB, wanted)).toBe(fsType);
  });

  it.each([
    ['of another kind', image(...ext4), 'xfs', /^disk\.raw holds ext4, not xfs$/],
    ['of two kinds', image(...xfs, ...ext4), undefined, /superblocks of ext4 and xfs; say which/],
    ['of two other kinds', image(...xfs, ...ext4), 'btrfs', /holds ext4 and xfs, not btrfs/],
    ['that is blank', image(), 'ext4', /holds nothing at its beginning, and none of ext4, xfs, btrfs/],
    ['that is too short for a superblock', image(...ext4).subarray(0, 512), 'ext4', /holds nothing/],
    ['of no known kind', image([0, 'hello']), undefined, /something unknown/],
    ['in another format', image([0, 'QFI\xfb']), undefined, /qcow2.*qemu-img convert/],
    ['that is encrypted', image([0, 'LUKS\xba\xbe']), undefined, /LUKS/],
    ['of a whole disk', image([510, '\x55\xaa']), undefined, /partition table/],
  ] as const)('%s is refused', (_, start, wanted, message) => {
    expect(() => judgeImage('disk.raw', start, 128 * MIB, wanted)).toThrow(message);
  });

  it('that was cut off is refused', () => {
    expect(() => judgeImage('disk.raw', image(...ext4), 64 * MIB - 1, undefined)).toThrow(
      'disk.raw has 67108863 bytes, but its ext4 covers 67108864: it was cut off',
    );
  });
});
