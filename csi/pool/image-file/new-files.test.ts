import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { allDone, writeDurably } from './new-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'new-files-'));
});
afterEach(() => rm(directory, { recursive: true }));

const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

it('writes texts and holes, for root alone, beside what is written already', async () => {
  await writeFile(join(directory, 'there'), 'already');
  const before = await openFiles();
  await writeDurably(directory, [
    { name: 'text', text: 'é and more' },
    { name: 'empty', text: '' },
    { name: 'hole', holeBytes: 1 << 20 },
    { name: 'there' },
  ]);
  expect(await openFiles()).toBe(before);
  expect(await readdir(directory)).toEqual(['empty', 'hole', 'text', 'there']);
  expect(await readFile(join(directory, 'text'), 'utf8')).toBe('é and more');
  expect(await readFile(join(directory, 'there'), 'utf8')).toBe('already');
  expect(await stat(join(directory, 'empty'))).toMatchObject({ size: 0, mode: 0o100600 });
  expect(await stat(join(directory, 'hole'))).toMatchObject({ size: 1 << 20, blocks: 0 });
});

it('replaces nothing, keeps no file open, and fails where a file that should be there is not', async () => {
  await writeFile(join(directory, 'taken'), 'kept');
  const before = await openFiles();
  const replacing = writeDurably(directory, [
    { name: 'other', text: 'x' },
    { name: 'taken', text: 'y' },
  ]);
  await expect(replacing).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(writeDurably(directory, [{ name: 'absent' }])).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await readFile(join(directory, 'taken'), 'utf8')).toBe('kept');
  expect(await openFiles()).toBe(before);
});

it('waits for those that still work after one has failed', async () => {
  let isDone = false;
  const slow = async () => {
    await setImmediate();
    isDone = true;
  };
  await expect(allDone([Promise.reject(new Error('first')), slow()])).rejects.toThrow('first');
  expect(isDone).toBe(true);
});
