import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { run } from './exec.ts';

export interface FileLock {
  /** The locked file, for the owner's text. */
  readonly handle: FileHandle;
  /** Frees the lock; so does the end of this process. */
  release(): Promise<void>;
}

const HELD = 75;

/**
 * Takes a flock(2) on the file, which is made if it is not there; undefined when another holds it. Node has no call
 * for it, but the lock belongs to the open file: util-linux `flock` takes it on the inherited descriptor, and it
 * stays with ours.
 */
export async function tryLock(path: string): Promise<FileLock | undefined> {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600).catch((cause: unknown) => {
    throw new Fault('io', `could not open the lock ${path}`, { fields: { path }, cause });
  });
  try {
    const args = ['--exclusive', '--nonblock', '--conflict-exit-code', String(HELD), '3'];
    const { exitCode, stderr } = await run({ file: 'flock', args, descriptors: [handle.fd] });
    if (exitCode === 0) return { handle, release: () => handle.close() };
    if (exitCode !== HELD) {
      throw new Fault('exec', `flock of ${path} failed with status ${exitCode}`, {
        fields: { path, stderr: new TextDecoder().decode(stderr) },
      });
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}
