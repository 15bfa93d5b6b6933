import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileSha256 } from '../setup/content-hash.ts';

/**
 * What is below `root`, one line each, sorted by path: `mode owner:group path`, then the sha256 of a file or the target
 * of a link. Two images with the same list hold the same files.
 */
export async function listFiles(root: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of walk(root, '')) paths.push(path);
  const lines: string[] = [];
  for (const path of paths.sort()) lines.push(await describeFile(root, path));
  return lines;
}

async function* walk(root: string, below: string): AsyncGenerator<string> {
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    yield path;
    if (entry.isDirectory()) yield* walk(root, path);
  }
}

async function describeFile(root: string, path: string): Promise<string> {
  const full = join(root, path);
  const stat = await lstat(full);
  const line = `${stat.mode.toString(8).padStart(6, '0')} ${stat.uid}:${stat.gid} /${path}`;
  if (stat.isSymbolicLink()) return `${line} -> ${await readlink(full)}`;
  return stat.isFile() ? `${line} ${await fileSha256(full)}` : line;
}
