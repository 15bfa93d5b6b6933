import type { AgentUsage } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { attempt, isErrno } from '../system/native/errors.ts';
import { sys } from '../system/native/sys.ts';

/** Of the file system mounted at `mountPoint`. Fault `io` if it has stopped after an error. */
export function measureUsage(serial: string, mountPoint: string): AgentUsage {
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
    isReadOnly,
  };
}
