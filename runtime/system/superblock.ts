import type { Filesystem } from '../../proto/volume-spec.ts';

/** Enough of a disk to find the superblock of any file system that berth knows. */
export const SUPERBLOCK_BYTES = 68 << 10;

/**
 * Bytes that a file system covers, by its superblock in the first SUPERBLOCK_BYTES of its disk; undefined if there is no
 * superblock of this kind. ext4: Documentation/filesystems/ext4/super.rst of Linux; XFS: xfs_dsb in
 * fs/xfs/libxfs/xfs_format.h; btrfs: btrfs_super_block in include/uapi/linux/btrfs_tree.h.
 */
export function parseFilesystemBytes(fsType: Filesystem, disk: Uint8Array): number | undefined {
  const view = new DataView(disk.buffer, disk.byteOffset, disk.byteLength);
  if (view.byteLength < SUPERBLOCK_BYTES) return undefined;
  switch (fsType) {
    case 'ext4':
      return view.getUint16(EXT4 + 0x38, true) === 0xef53 ? ext4Bytes(view) : undefined;
    case 'xfs':
      return view.getUint32(0) === 0x58465342 ? view.getUint32(4) * Number(view.getBigUint64(8)) : undefined;
    case 'btrfs':
      return view.getBigUint64(BTRFS + 0x40) === BTRFS_MAGIC
        ? Number(view.getBigUint64(BTRFS + 0x70, true))
        : undefined;
  }
}

const EXT4 = 1 << 10;
const BTRFS = 64 << 10;
/** `_BHRfS_M`. */
const BTRFS_MAGIC = 0x5f42485266535f4dn;
const EXT4_FEATURE_INCOMPAT_64BIT = 0x80;

function ext4Bytes(view: DataView): number {
  const is64Bit = (view.getUint32(EXT4 + 0x60, true) & EXT4_FEATURE_INCOMPAT_64BIT) !== 0;
  const high = is64Bit ? view.getUint32(EXT4 + 0x150, true) : 0;
  const blocks = high * 2 ** 32 + view.getUint32(EXT4 + 0x4, true);
  return blocks * 2 ** (10 + view.getUint32(EXT4 + 0x18, true));
}
