import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureNoEmptyDirectories } from './empty-directories.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-empty-directories-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('ensureNoEmptyDirectories', () => {
  it.each([
    [true, 1],
    [false, 0],
  ])('removes a tree of directories, with keepRoot %s', async (keepRoot, left) => {
    const target = join(root, 'target');
    await mkdir(join(target, 'a/b/c'), { recursive: true });
    await mkdir(join(target, 'd'));
    expect(await ensureNoEmptyDirectories(target, { keepRoot })).toBeUndefined();
    expect(await readdir(root, { recursive: true })).toHaveLength(left);
  });

  it('removes nothing where something else stays, and names it', async () => {
    await mkdir(join(root, 'a/empty'), { recursive: true });
    await mkdir(join(root, 'z'));
    await writeFile(join(root, 'z/file'), '');
    expect(await ensureNoEmptyDirectories(root, { keepRoot: true })).toBe(join(root, 'z/file'));
    expect((await readdir(root, { recursive: true })).sort()).toEqual(['a', 'a/empty', 'z', 'z/file']);
  });
});
