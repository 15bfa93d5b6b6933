import { describe, expect, it } from 'vitest';
import { silentLog } from '../runtime/system/log.ts';
import { createHealth } from './health.ts';
import { createMemoryPool, NODE_KEY } from './snapshots/memory-pool.fixture.ts';
import { Volumes } from './volumes.ts';

const pool = createMemoryPool('main', []);
const health = createHealth(['Identity', 'Node'], new Volumes(NODE_KEY, [pool]));
const context = { log: silentLog, signal: new AbortController().signal };

describe('health', () => {
  it.each(['', 'csi.v1.Identity', 'csi.v1.Node'])('of %j is SERVING', async (service) => {
    expect(await health.Check({ service }).run(context)).toEqual({ status: 'SERVING' });
  });

  it('is NOT_SERVING when a pool has failed', async () => {
    const broken = { ...pool, name: 'other', requireSound: () => Promise.reject(new Error('the disk has gone')) };
    const { Check } = createHealth(['Node'], new Volumes(NODE_KEY, [pool, broken]));
    expect(await Check({ service: 'csi.v1.Node' }).run(context)).toEqual({ status: 'NOT_SERVING' });
  });

  it.each(['Node', 'csi.v1.Controller', 'toString'])('of %j is not known', (service) => {
    expect(() => health.Check({ service })).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  it('is listed for all', async () => {
    const { statuses } = await health.List({}).run(context);
    expect(Object.keys(statuses)).toEqual(['', 'csi.v1.Identity', 'csi.v1.Node']);
  });
});
