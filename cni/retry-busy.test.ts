import { describe, expect, it } from 'vitest';
import { Fault } from '../proto/fault.ts';
import { retryBusy } from './retry-busy.ts';

const refusal = (errno: string) => new Fault('busy', errno, { fields: { errno } });

async function run(...refusals: readonly string[]): Promise<{ slept: number[]; result: unknown }> {
  const slept: number[] = [];
  const left = [...refusals];
  const sleep = async (milliseconds: number) => {
    slept.push(milliseconds);
  };
  const result = await retryBusy(sleep, () => {
    const errno = left.shift();
    if (errno !== undefined) throw refusal(errno);
    return 'done';
  }).catch((error: unknown) => (error instanceof Fault ? error.message : error));
  return { slept, result };
}

describe('what is busy', () => {
  it('is asked again, a little later each time', async () => {
    expect(await run()).toEqual({ slept: [], result: 'done' });
    expect(await run('EBUSY', 'EBUSY')).toEqual({ slept: [10, 20], result: 'done' });
  });

  it('is given up at last', async () => {
    const busy = ['EBUSY', 'EBUSY', 'EBUSY', 'EBUSY', 'EBUSY'];
    expect(await run(...busy)).toEqual({ slept: [10, 20, 30, 40], result: 'EBUSY' });
  });

  it('is not what fails for another reason', async () => {
    expect(await run('EPERM')).toEqual({ slept: [], result: 'EPERM' });
  });
});
