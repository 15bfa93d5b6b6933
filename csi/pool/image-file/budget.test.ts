import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { Budget } from './budget.ts';

it('does not promise the last of a pool twice to those that ask at once', async () => {
  const { bavail, bsize } = await statfs(tmpdir());
  const most = Math.floor((bavail * bsize * 2) / 3);
  const budget = new Budget('p', tmpdir(), 1);
  await budget.begin(new Map(), 0);
  const taken = await Promise.allSettled(['a', 'b', 'c'].map((id) => budget.take(id, most)));
  expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(taken.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'exhausted' } });
});
