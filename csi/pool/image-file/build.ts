import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { errorCode } from '../../../runtime/system/node/errno.ts';
import { syncDirectory } from '../../../runtime/system/node/system.ts';
import type { DirectorySync } from './directory-sync.ts';
import { type ImageFilePaths, uniqueName } from './paths.ts';
import { type PoolState, toPoolFault } from './state.ts';

/** Where a volume or snapshot is to be. */
export interface Place {
  readonly id: string;
  readonly parent: string;
  readonly sync: DirectorySync;
}

/**
 * Makes a volume or snapshot as a whole: `fill` writes its files into a directory that is then placed. `bytes` are
 * promised to it. Whatever fails leaves nothing: a sync that failed says nothing of what is on the disk, so that a
 * repeated verb begins anew.
 */
export async function build<T>(
  pool: PoolState,
  { target, bytes, what }: { target: Place; bytes: number; what: string },
  fill: (building: string) => Promise<T>,
  log: Log,
): Promise<T> {
  await pool.budget.take(target.id, bytes);
  const building = `${pool.paths.incoming}/${uniqueName(target.id)}`;
  try {
    await makeBuilding(building);
    const filled = await fill(building);
    await place(building, target);
    return filled;
  } catch (cause) {
    pool.budget.forget(target.id);
    await takeBack(pool.paths, building, target, log);
    throw toPoolFault(pool, cause, what, target.id);
  }
}

/** What could not be made, or not be promised. */
export async function takeBack(paths: ImageFilePaths, building: string, target: Place, log: Log): Promise<void> {
  try {
    await rm(building, { recursive: true, force: true });
    await discard(paths, target, log);
  } catch (error) {
    log.warn('what could not be made is still there; the next attempt or start removes it', { id: target.id, error });
  }
}

export async function makeBuilding(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 });
  failpoint('volume.begun');
}

/** A file that is not there yet. place() makes it durable. */
export async function writeNew(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode: 0o600 });
  failpoint('volume.file-written');
}

/**
 * Syncs what was built and renames it into place: at any instruction there is the whole of it or nothing. A crash before
 * leaves what the next start sweeps.
 */
export async function place(building: string, { id, parent, sync }: Place): Promise<void> {
  const names = await readdir(building);
  // At once: the file system's journal makes one commit of them.
  await Promise.all([...names.map((name) => syncFile(`${building}/${name}`)), syncDirectory(building)]);
  await rename(building, `${parent}/${id}`);
  failpoint('volume.placed');
  await sync.sync();
}

/**
 * Renames a volume or snapshot into `trash`, and only then frees its blocks: a full pool can be emptied, and after the
 * sync a crash leaves only what the next start sweeps. False if there was none.
 */
export async function discard(paths: ImageFilePaths, { id, parent, sync }: Place, log: Log): Promise<boolean> {
  const discarded = `${paths.trash}/${uniqueName(id)}`;
  try {
    await rename(`${parent}/${id}`, discarded);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return false;
    throw cause;
  }
  failpoint('volume.discarded');
  await sync.sync();
  await rm(discarded, { recursive: true }).catch((error: unknown) => {
    log.warn('what was deleted still takes space; the next start tries again', { path: discarded, error });
  });
  failpoint('volume.freed');
  return true;
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
