import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DirectorySync } from './directory-sync.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'directory-sync-'));
});
afterEach(() => rm(parent, { recursive: true }));

test('those who come before a sync begins share it; who comes later gets another', async () => {
  const directory = new DirectorySync(parent);
  const first = directory.sync();
  expect(directory.sync()).toBe(first);
  await Promise.resolve();
  await Promise.resolve();
  const second = directory.sync();
  expect(second).not.toBe(first);
  expect(directory.sync()).toBe(second);
  await Promise.all([first, second]);
});

test('a failure is told to all who shared it, and to nobody else', async () => {
  const path = join(parent, 'later');
  const directory = new DirectorySync(path);
  const [one, other] = await Promise.allSettled([directory.sync(), directory.sync()]);
  expect([one?.status, other?.status]).toEqual(['rejected', 'rejected']);
  await mkdir(path);
  await directory.sync();
});
