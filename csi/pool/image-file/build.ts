import { mkdir, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { errorCode } from '../../../runtime/system/node/errno.ts';
import { allDone } from './new-files.ts';
import { type ImageFilePaths, uniqueName } from './paths.ts';
import { type Place, type PoolState, toPoolFault } from './state.ts';

/**
 * Makes a volume or snapshot as a whole: `fill` writes its files, durably, into a directory that is then placed. `bytes`
 * are promised to it. Whatever fails leaves nothing, so that a repeated verb begins anew.
 */
export async function build<T>(
  pool: PoolState,
  { target, bytes, what }: { target: Place; bytes: number; what: string },
  fill: (building: string) => Promise<T>,
  log: Log,
): Promise<T> {
  const building = `${pool.paths.incoming}/${uniqueName(target.id)}`;
  const promised = pool.budget.take(target.id, bytes);
  try {
    await allDone([promised, makeBuilding(building)]);
    const filled = await fill(building);
    await place(pool.paths, building, target, log);
    return filled;
  } catch (cause) {
    await clearAway(building, log);
    await promised.then(
      () => pool.budget.forget(target.id),
      () => {},
    );
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

/**
 * Renames into place what was built, of which everything is durable: at any instruction, and after a crash at any, there
 * is the whole of it or nothing. A crash before leaves what the next start sweeps. `exists` if somebody else put
 * something there: it is not ours to replace.
 */
export async function place(paths: ImageFilePaths, building: string, target: Place, log: Log): Promise<void> {
  const { id, parent, sync } = target;
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
    await takeBack(paths, target, log);
    throw cause;
  }
}

/**
 * Renames a volume or snapshot into `trash`, durably: after this a crash leaves only what the next start sweeps. Answers
 * what free() takes; undefined if there was none.
 */
export async function discard(paths: ImageFilePaths, { id, parent, sync }: Place): Promise<string | undefined> {
  const discarded = `${paths.trash}/${uniqueName(id)}`;
  try {
    await rename(`${parent}/${id}`, discarded);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw cause;
  }
  failpoint('volume.discarded');
  await sync.sync();
  return discarded;
}

/** Frees the blocks of what was discarded: only then, so that no crash leaves half a volume where volumes are. */
export async function free(discarded: string, log: Log): Promise<void> {
  try {
    // Files only, all at once: rm(3) of a tree looks at each of them first.
    await allDone((await readdir(discarded)).map((name) => unlink(`${discarded}/${name}`)));
    await rmdir(discarded);
  } catch (error) {
    log.warn('what was deleted still takes space; the next start tries again', { path: discarded, error });
  }
  failpoint('volume.freed');
}

async function takeBack(paths: ImageFilePaths, target: Place, log: Log): Promise<void> {
  try {
    const discarded = await discard(paths, target);
    if (discarded !== undefined) await free(discarded, log);
  } catch (error) {
    log.warn('could not take it back', { id: target.id, error });
  }
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
