import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DirectorySync } from './directory-sync.ts';

let path: string;
let directory: DirectorySync;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'directory-sync-'));
  directory = await DirectorySync.open(path);
});
afterEach(() => rm(path, { recursive: true }));

test('those who come before a sync begins share it; who comes later gets another', async () => {
  const first = directory.sync();
  expect(directory.sync()).toBe(first);
  await Promise.resolve();
  await Promise.resolve();
  const second = directory.sync();
  expect(second).not.toBe(first);
  expect(directory.sync()).toBe(second);
  await Promise.all([first, second]);
  await directory.close();
});

test('a failure is told to all who shared it, and to all who come after', async () => {
  await directory.close();
  const shared = await Promise.allSettled([directory.sync(), directory.sync()]);
  expect(shared.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(directory.sync()).rejects.toThrow();
  await expect(directory.check()).rejects.toThrow();
});

test('a directory that has been put in its place is noticed', async () => {
  await directory.check();
  await rename(path, `${path}-away`);
  await mkdir(path);
  await expect(directory.check()).rejects.toThrow('was its disk unmounted?');
  await rm(`${path}-away`, { recursive: true });
  await directory.close();
});
