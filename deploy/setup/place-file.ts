import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../../proto/fault.ts';

/**
 * Has a file written under another name, and renames it: who reads it, or runs it, has the old one or the new one. Makes
 * its directory.
 */
export async function placeFile(
  path: string,
  mode: number,
  write: (temporary: string) => Promise<unknown>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await write(temporary);
    await chmod(temporary, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new Fault('io', `could not write ${path}`, { cause: error });
  }
}
