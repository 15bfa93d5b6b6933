import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Larger files are told apart by when they were last changed: an image has gigabytes, most of them holes. */
const HASHED_BYTES = 64n << 10n;

/**
 * One line for each entry below a directory, by path: kind, mode, owner and content. Equal lists are equal trees. Empty
 * where there is no directory.
 */
export async function listTree(root: string, below = ''): Promise<string[]> {
  const entries = await readdir(join(root, below)).catch(() => []);
  const lists = entries.sort().map(async (name) => {
    const path = join(below, name);
    const stats = await lstat(join(root, path), { bigint: true });
    const line = `${path} ${stats.mode.toString(8)} ${stats.uid} ${await describe(join(root, path), stats)}`;
    return stats.isDirectory() ? [line, ...(await listTree(root, path))] : [line];
  });
  return (await Promise.all(lists)).flat();
}

async function describe(path: string, stats: BigIntStats): Promise<string> {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return `-> ${await readlink(path)}`;
  if (!stats.isFile()) return 'special';
  if (stats.size > HASHED_BYTES) return `${stats.size} ${stats.ino} ${stats.mtimeNs} ${stats.ctimeNs}`;
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
