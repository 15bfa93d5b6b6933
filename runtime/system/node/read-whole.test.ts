import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readWhole } from './read-whole.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'read-whole-'));
});
afterEach(() => rm(directory, { recursive: true }));

it.each([0, 1, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 100_000])('reads a file of %i bytes', async (length) => {
  const path = join(directory, 'file');
  const data = Buffer.from(Array.from({ length }, (_, index) => index % 251));
  await writeFile(path, data);
  expect((await readWhole(path)).equals(data)).toBe(true);
});

it('reads what the kernel makes up, whose size it does not know before', async () => {
  expect((await readWhole('/proc/self/status')).toString()).toMatch(/^Name:.*\nnonvoluntary_ctxt_switches:\s+\d+\n$/s);
  const mounts = '/proc/self/mountinfo';
  expect((await readWhole(mounts)).toString()).toBe(await readFile(mounts, 'utf8'));
});

it('throws as readFile does', async () => {
  await expect(readWhole(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(readWhole(directory)).rejects.toMatchObject({ code: 'EISDIR' });
});
