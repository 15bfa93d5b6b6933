import { readFile } from 'node:fs/promises';
import { Fault } from '../proto/fault.ts';
import { isOutOfSpace } from '../runtime/system/node/errno.ts';
import { type FileLock, tryLock } from '../runtime/system/node/file-lock.ts';

/**
 * Keeps a second server out of a directory for as long as this process lives: what one of them sweeps at its start is
 * what the other one is building. `noun` names the directory in the refusal, `owner` is who the next one will read of.
 */
export async function lockDirectory(directory: string, noun: string, owner: string): Promise<FileLock> {
  const path = `${directory}/lock`;
  const lock = await tryLock(path);
  if (lock === undefined) {
    const holder = (await readFile(path, 'utf8').catch(() => '')).trim() || 'another process';
    throw new Fault('busy', `${noun} ${directory} is in use by ${holder}`, { fields: { path, holder } });
  }
  try {
    await lock.handle.truncate();
    await lock.handle.writeFile(`${owner}\n`);
  } catch (cause) {
    // A full file system must not keep the server from starting: only then can volumes be deleted.
    if (!isOutOfSpace(cause)) {
      await lock.release();
      throw new Fault('io', `could not write ${path}`, { fields: { path }, cause });
    }
  }
  return lock;
}
