import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { errorCode } from '../../../runtime/system/node/errno.ts';
import { describeUnfit } from '../../../runtime/system/node/unfit-file-system.ts';

/** A pool must be a directory, writable, on a file system that keeps what fsync promised. Fault `precondition` names it. */
export async function qualify(name: string, directory: string, allowUnfit: boolean): Promise<void> {
  const refusal = (problem: string, cause?: unknown): Fault =>
    new Fault('precondition', `pool ${name}: ${directory} ${problem}`, { fields: { pool: name, directory }, cause });
  const found = await stat(directory).catch((cause: unknown) => {
    if (errorCode(cause) === 'ENOENT') {
      throw refusal(`is not there; make it ("mkdir -p ${directory}"), or name another directory with --pool`);
    }
    throw refusal('cannot be used', cause);
  });
  if (!found.isDirectory()) throw refusal('is not a directory; --pool names one');
  await access(directory, constants.R_OK | constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw refusal('is not writable', cause);
  });
  const unfit = describeUnfit((await statfs(directory)).type);
  if (unfit !== undefined && !allowUnfit) {
    throw refusal(`is on ${unfit}; choose a local disk, or pass --allow-unfit-pool for a test`);
  }
}
