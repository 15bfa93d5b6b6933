import { readdir, rmdir } from 'node:fs/promises';
import { Fault } from '../proto/fault.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { errorCode } from '../runtime/system/node/errno.ts';
import { mountsBelow, readMounts } from '../runtime/system/node/mounts.ts';

/**
 * Removes a tree of directories bottom-up as far as it is empty: kubelet makes some where the placeholder is missing.
 * Never a file, never across a mount. Answers the first thing that stays, undefined if nothing does.
 */
export async function ensureNoEmptyDirectories(
  root: string,
  { keepRoot }: { keepRoot: boolean },
): Promise<string | undefined> {
  const [below] = mountsBelow(await readMounts(), root);
  if (below !== undefined) return below.mountPoint;
  try {
    return await prune(root, keepRoot);
  } catch (cause) {
    throw new Fault('io', `could not clear ${root}`, { fields: { path: root }, cause });
  }
}

async function prune(directory: string, keep: boolean): Promise<string | undefined> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    const left = entry.isDirectory() ? await prune(path, false) : path;
    if (left !== undefined) return left;
  }
  if (!keep) {
    await rmdir(directory).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') throw error;
    });
    failpoint('target.removed');
  }
  return undefined;
}
