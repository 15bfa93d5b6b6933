/** f_type of statfs(2) (linux/magic.h) -> why data on it are not safe, or locks on it not to be trusted. */
const UNFIT = new Map([
  [0x01021994, 'tmpfs: it ends with the boot'],
  [0x858458f6, 'ramfs: it ends with the boot'],
  [0x794c7630, 'overlayfs: it ends with its container'],
  [0x6969, 'NFS: its locks and syncs are not those of a local disk'],
  [0xff534d42, 'CIFS: its locks and syncs are not those of a local disk'],
  [0xfe534d42, 'SMB: its locks and syncs are not those of a local disk'],
  [0x01021997, '9p: its locks and syncs are not those of a local disk'],
  [0x65735546, 'FUSE: what its fsync promises is unknown'],
]);

/** Why no pool of volumes belongs on a file system of this type; undefined if one may. */
export function describeUnfit(fileSystemType: number): string | undefined {
  return UNFIT.get(fileSystemType);
}
