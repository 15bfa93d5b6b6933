import { describe, expect, it } from 'vitest';
import { silentLog } from '../runtime/system/log.ts';
import { createHealth } from './health.ts';

const health = createHealth(['Identity', 'Node']);
const context = { log: silentLog, signal: new AbortController().signal };

describe('health', () => {
  it.each(['', 'csi.v1.Identity', 'csi.v1.Node'])('of %j is SERVING', async (service) => {
    expect(await health.Check({ service }).run(context)).toEqual({ status: 'SERVING' });
  });

  it.each(['Node', 'csi.v1.Controller', 'toString'])('of %j is not known', (service) => {
    expect(() => health.Check({ service })).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  it('is listed for all', async () => {
    const { statuses } = await health.List({}).run(context);
    expect(Object.keys(statuses)).toEqual(['', 'csi.v1.Identity', 'csi.v1.Node']);
  });
});
