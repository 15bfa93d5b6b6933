import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Budget, toSpace } from './budget.ts';

it('does not promise the last of a pool twice to those that ask at once', async () => {
  const { bavail, bsize } = await statfs(tmpdir());
  const most = Math.floor((bavail * bsize * 2) / 3);
  const budget = new Budget('p', tmpdir(), 1);
  await budget.begin(new Map(), 0);
  const taken = await Promise.allSettled(['a', 'b', 'c'].map((id) => budget.take(id, most)));
  expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(taken.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'exhausted' } });
});

describe('what can be promised', () => {
  const all = { totalBytes: 1000, freeBytes: 1000, promisedBytes: 0, othersBytes: 0, overcommit: 1 };

  it.each([
    ['everything, of a new pool', {}, 1000, 1000],
    ['less what was promised, written or not', { promisedBytes: 600 }, 400, 400],
    ['and it was written', { promisedBytes: 600, freeBytes: 400 }, 400, 400],
    ['less what others have', { othersBytes: 300, freeBytes: 700 }, 700, 700],
    ['no more than others have left', { freeBytes: 100 }, 100, 100],
    ['more than there is, where that is wanted', { overcommit: 2.5 }, 2500, 1000],
    ['several times, but no volume larger than the pool', { overcommit: 3, promisedBytes: 1900 }, 1100, 1000],
    [
      'any number of volumes, without a limit',
      { overcommit: Number.POSITIVE_INFINITY, promisedBytes: 9e9 },
      1000,
      1000,
    ],
    ['nothing on a full device, without a limit', { overcommit: Number.POSITIVE_INFINITY, freeBytes: 0 }, 0, 0],
    ['nothing, when a lower limit was set', { overcommit: 0.5, promisedBytes: 700 }, 0, 0],
  ])('is %s', (_what, changes, availableBytes, maximumVolumeBytes) => {
    const { totalBytes, freeBytes, ...promised } = { ...all, ...changes };
    expect(toSpace({ totalBytes, freeBytes }, promised)).toMatchObject({
      availableBytes,
      maximumVolumeBytes,
      freeBytes,
    });
  });
});
