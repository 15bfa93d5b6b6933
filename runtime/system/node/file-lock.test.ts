import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from './exec.ts';
import { tryLock } from './file-lock.ts';

describe('tryLock', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-lock-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  /** Another process's view of the lock. */
  const isFree = async (path: string): Promise<boolean> =>
    (await run({ file: 'flock', args: ['--nonblock', path, 'true'] })).exitCode === 0;

  it('holds against other processes until it is released', async () => {
    const path = join(directory, 'a');
    const lock = await tryLock(path);
    expect(await isFree(path)).toBe(false);
    expect(await tryLock(path)).toBeUndefined();
    await lock?.release();
    expect(await isFree(path)).toBe(true);
  });

  it('names the file that cannot be opened', async () => {
    const path = join(directory, 'missing', 'lock');
    await expect(tryLock(path)).rejects.toMatchObject({ code: 'io', message: `could not open the lock ${path}` });
  });
});
