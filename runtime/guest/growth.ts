import type { Filesystem } from '../../proto/volume-spec.ts';

/** Grows a mounted file system to the end of its disk. */
export function growCommand(fsType: Filesystem, device: string, mountPoint: string): readonly string[] {
  switch (fsType) {
    case 'ext4':
      return ['resize2fs', device];
    case 'xfs':
      return ['xfs_growfs', '-d', mountPoint];
    case 'btrfs':
      return ['btrfs', 'filesystem', 'resize', 'max', mountPoint];
  }
}
