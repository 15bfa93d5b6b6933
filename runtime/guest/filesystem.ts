import { Fault } from '../../proto/fault.ts';
import { FILESYSTEMS, type Filesystem } from '../../proto/volume-spec.ts';

/**
 * What mkfs makes, pinned: a newer mkfs must not give a volume features that an older guest kernel cannot mount. The
 * lists are what e2fsprogs 1.47, xfsprogs 6.13 and btrfs-progs 6.14 offer that Linux 6.1 mounts read-write.
 */
const EXT4_FEATURES = [
  'none',
  'has_journal',
  'ext_attr',
  'resize_inode',
  'dir_index',
  'filetype',
  'extent',
  '64bit',
  'flex_bg',
  'sparse_super',
  'large_file',
  'huge_file',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
].join(',');

export interface MkfsRequest {
  readonly fsType: Filesystem;
  readonly device: string;
  readonly uuid: string;
  /** Without it, mkfs's own check for signatures stays on, behind ours. */
  readonly overwrite: boolean;
  /** Words of the volume's class; they come last, so that they win over berth's own. */
  readonly options: readonly string[];
}

/**
 * Program and arguments that make a file system. ext4: no blocks are kept for root, since a volume has no other purpose
 * than its pod; an error of the file system stops writing; inode tables are zeroed by the kernel after the mount, so that
 * a large disk is not slow to begin with.
 */
export function mkfsCommand({ fsType, device, uuid, overwrite, options }: MkfsRequest): readonly string[] {
  const force = (flag: string): string[] => (overwrite ? [flag] : []);
  switch (fsType) {
    case 'ext4': {
      const extended = 'lazy_itable_init=1,lazy_journal_init=0,nodiscard';
      const layout = ['-b', '4096', '-I', '256', '-m', '0', '-e', 'remount-ro', '-O', EXT4_FEATURES, '-E', extended];
      return ['mkfs.ext4', '-q', ...layout, '-U', uuid, ...options, ...force('-F'), device];
    }
    case 'btrfs': {
      const features = 'extref,skinny-metadata,no-holes,free-space-tree,^block-group-tree';
      const sizes = ['--sectorsize', '4096', '--nodesize', '16384', '--checksum', 'crc32c'];
      const layout = ['--data', 'single', '--metadata', 'dup', '--nodiscard', '--features', features, ...sizes];
      return ['mkfs.btrfs', '-q', ...layout, '-U', uuid, ...options, ...force('-f'), device];
    }
    case 'xfs': {
      const metadata = `crc=1,finobt=1,rmapbt=0,reflink=1,bigtime=1,inobtcount=1,uuid=${uuid}`;
      const inodes = 'size=512,sparse=1,nrext64=0,exchange=0';
      const layout = ['-m', metadata, '-i', inodes, '-n', 'version=2,ftype=1'];
      return ['mkfs.xfs', '-q', '-K', ...layout, ...options, ...force('-f'), device];
    }
  }
}

/** Fault `invalid` for a file system that the guest does not know. */
export function parseFilesystem(fsType: string): Filesystem {
  const known = FILESYSTEMS.find((name) => name === fsType);
  if (known !== undefined) return known;
  throw new Fault(
    'invalid',
    `the guest knows no file system ${JSON.stringify(fsType)}; it knows ${FILESYSTEMS.join(', ')}`,
  );
}

/** Random (version 4) UUID of RFC 9562 from 16 random bytes. */
export function toUuid(random: Uint8Array): string {
  const bytes = Uint8Array.from(random);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
