import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';

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

export function describeUnfit(fileSystemType: number): string | undefined {
  return UNFIT.get(fileSystemType);
}

/** A pool must be a directory, writable, on a file system that keeps what fsync promised. Fault `precondition` names it. */
export async function qualify(name: string, directory: string, allowUnfit: boolean): Promise<void> {
  const refusal = (problem: string, cause?: unknown): Fault =>
    new Fault('precondition', `pool ${name}: ${directory} ${problem}`, { fields: { pool: name, directory }, cause });
  const found = await stat(directory).catch((cause: unknown) => {
    throw refusal('cannot be used', cause);
  });
  if (!found.isDirectory()) throw refusal('is not a directory');
  await access(directory, constants.R_OK | constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw refusal('is not writable', cause);
  });
  const unfit = describeUnfit((await statfs(directory)).type);
  if (unfit !== undefined && !allowUnfit) {
    throw refusal(`is on ${unfit}; choose a local disk, or pass --allow-unfit-pool for a test`);
  }
}
