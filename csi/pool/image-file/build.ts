import { mkdir, open, readdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { errorCode } from '../../../runtime/system/node/errno.ts';
import { syncDirectory } from '../../../runtime/system/node/system.ts';
import { type ImageFilePaths, uniqueName } from './paths.ts';
import { type Place, type PoolState, toPoolFault } from './state.ts';

/**
 * Makes a volume or snapshot as a whole: `fill` writes its files into a directory that is then placed. `bytes` are
 * promised to it. Whatever fails leaves nothing, so that a repeated verb begins anew.
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
    await place(pool.paths, building, target, log);
    return filled;
  } catch (cause) {
    await clearAway(building, log);
    pool.budget.forget(target.id);
    throw toPoolFault(pool, cause, what, target.id);
  }
}

/** What was being made, and will not be. */
export async function clearAway(building: string, log: Log): Promise<void> {
  await rm(building, { recursive: true, force: true }).catch((error: unknown) => {
    log.warn('what could not be made still takes space; the next start removes it', { path: building, error });
  });
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
 * leaves what the next start sweeps. `exists` if somebody else put something there: it is not ours to replace.
 */
export async function place(paths: ImageFilePaths, building: string, target: Place, log: Log): Promise<void> {
  const { id, parent, sync } = target;
  const names = await readdir(building);
  // At once: the file system's journal makes one commit of them.
  await Promise.all([...names.map((name) => syncFile(`${building}/${name}`)), syncDirectory(building)]);
  await rename(building, `${parent}/${id}`).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENOTEMPTY' && errorCode(cause) !== 'EEXIST') throw cause;
    const message = `${parent}/${id} came there while this server ran; start it again to have it known`;
    throw new Fault('exists', message, { fields: { id }, cause });
  });
  failpoint('volume.placed');
  try {
    await sync.sync();
  } catch (cause) {
    // What it is on the disk is not known, and a sync that succeeds later does not tell: it was never there.
    await discard(paths, target, log).catch((error: unknown) => log.warn('could not take it back', { id, error }));
    throw cause;
  }
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
  await free(discarded).catch((error: unknown) => {
    log.warn('what was deleted still takes space; the next start tries again', { path: discarded, error });
  });
  failpoint('volume.freed');
  return true;
}

/** Files only, all at once: rm(3) of a tree looks at each of them first. */
async function free(directory: string): Promise<void> {
  const names = await readdir(directory);
  await Promise.all(names.map((name) => unlink(`${directory}/${name}`)));
  await rmdir(directory);
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
