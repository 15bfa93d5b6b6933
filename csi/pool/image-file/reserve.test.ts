import { mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fault } from '../../../proto/fault.ts';
import { silentLog } from '../../../runtime/system/log.ts';
import { isForSpace, Reserve } from './reserve.ts';

const full = (): Fault =>
  new Fault('io', 'could not write', { cause: Object.assign(new Error('full'), { code: 'ENOSPC' }) });

let directory: string;
let reserve: Reserve;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reserve-'));
  reserve = new Reserve({ allocate: truncate }, join(directory, 'reserve'));
  await reserve.fill(silentLog);
});
afterEach(() => rm(directory, { recursive: true }));

describe('the reserve', () => {
  test('is there until somebody needs it, once', async () => {
    expect((await stat(join(directory, 'reserve'))).size).toBeGreaterThan(1 << 20);
    let attempts = 0;
    const record = async () => {
      attempts += 1;
      if (attempts === 1) throw full();
      return 'written';
    };
    expect(await reserve.lend(record)).toBe('written');
    expect(await readdir(directory)).toEqual([]);
    await reserve.fill(silentLog);
    expect(await readdir(directory)).toEqual(['reserve']);
  });

  test('is not given up for anything else, and does not hide that it was too little', async () => {
    await expect(reserve.lend(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await readdir(directory)).toEqual(['reserve']);
    await expect(reserve.lend(() => Promise.reject(full()))).rejects.toThrow('could not write');
  });
});

test.each([
  [full(), true],
  [Object.assign(new Error('quota'), { code: 'EDQUOT' }), true],
  [new Fault('exhausted', 'no space'), true],
  [new Fault('io', 'broken', { cause: Object.assign(new Error('broken'), { code: 'EIO' }) }), false],
  ['text', false],
])('%s is for want of space: %s', (error, expected) => {
  expect(isForSpace(error)).toBe(expected);
});
