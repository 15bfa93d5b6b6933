import type { AgentUsage } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import { attempt, isErrno } from '../system/native/errors.ts';
import { sys } from '../system/native/sys.ts';
import { readText } from './files.ts';

export interface Measured {
  readonly device: string;
  readonly fsType: Filesystem;
  readonly mountPoint: string;
}

/** Of a mounted file system. Fault `io` if it has stopped after an error. */
export function measureUsage(serial: string, { device, fsType, mountPoint }: Measured): AgentUsage {
  try {
    // An XFS that has shut down still tells its numbers, but not this.
    sys.stat(mountPoint);
  } catch (error) {
    if (!isErrno(error, 'EIO')) throw error;
    const message = `the file system of disk ${serial} has stopped after an error; end the pod and run berth volume fsck`;
    throw new Fault('io', message, { fields: { serial, mountPoint }, cause: error });
  }
  const status = attempt(`could not measure the file system of disk ${serial}`, () => sys.statvfs(mountPoint));
  const { blockSize, blocks, blocksFree, blocksAvailable, files, filesAvailable, isReadOnly } = status;
  return {
    capacityBytes: blocks * blockSize,
    availableBytes: blocksAvailable * blockSize,
    usedBytes: (blocks - blocksFree) * blockSize,
    inodes: files,
    inodesFree: filesAvailable,
    isReadOnly: isReadOnly || (fsType === 'ext4' && hasMetError(device)),
  };
}

/**
 * Whether an ext4 has met an error since it was checked last, which is before every writable mount: berth's stop writing
 * then (`-e remount-ro`), and of that neither mount nor superblock tell since Linux 6.12.
 */
function hasMetError(device: string): boolean {
  const count = readText(`/sys/fs/ext4/${device.slice(device.lastIndexOf('/') + 1)}/errors_count`);
  return Number(count ?? 0) > 0;
}
