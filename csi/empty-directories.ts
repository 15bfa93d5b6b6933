import { readdir, rmdir } from 'node:fs/promises';
import { Fault } from '../proto/fault.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { errorCode } from '../runtime/system/node/errno.ts';
import { mountsBelow, readMounts } from '../runtime/system/node/mounts.ts';

/**
 * Removes a tree of directories if there is nothing else in it: kubelet makes some where the placeholder is missing.
 * Never a file, never across a mount. Answers something that stays, and removes nothing then; undefined if all is gone.
 */
export async function ensureNoEmptyDirectories(
  root: string,
  { keepRoot }: { keepRoot: boolean },
): Promise<string | undefined> {
  const [below] = mountsBelow(await readMounts(), root);
  if (below !== undefined) return below.mountPoint;
  try {
    const kept = await findOther(root);
    if (kept === undefined) await prune(root, keepRoot);
    return kept;
  } catch (cause) {
    throw new Fault('io', `could not clear ${root}`, { fields: { path: root }, cause });
  }
}

/** The first thing in the tree that is no directory. */
async function findOther(directory: string): Promise<string | undefined> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    const found = entry.isDirectory() ? await findOther(path) : path;
    if (found !== undefined) return found;
  }
  return undefined;
}

async function prune(directory: string, keep: boolean): Promise<void> {
  for (const name of await readdir(directory)) await prune(`${directory}/${name}`, false);
  if (keep) return;
  await rmdir(directory).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
  failpoint('target.removed');
}
