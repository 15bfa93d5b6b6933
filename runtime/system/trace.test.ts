import { afterEach, describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { startTrace, trace, traceCall, tracedAreas } from './trace.ts';

const lines: Record<string, unknown>[] = [];
const start = (wanted: string | undefined) => {
  lines.length = 0;
  startTrace(wanted, (line) => lines.push(JSON.parse(line)));
};
afterEach(() => start(undefined));

describe('BERTH_TRACE', () => {
  it('is silent unless it names the area, and does not even make the variables then', () => {
    start('vmm');
    trace('record')?.('read', { path: expect.unreachable() });
    trace('vmm')?.('command', { command: 'quit' });
    expect(lines).toEqual([
      { time: expect.any(String), level: 'trace', message: 'command', area: 'vmm', command: 'quit' },
    ]);
  });

  it.each([
    [undefined, ''],
    ['', ''],
    ['netlink', 'netlink'],
    [' agent , record,', 'record,agent'],
  ])('%s turns on "%s"', (wanted, areas) => {
    start(wanted);
    expect(tracedAreas()).toBe(areas);
    expect(lines).toEqual([]);
  });

  it('names what it does not know, and goes on', () => {
    start('qmp,vmm');
    expect(lines).toMatchObject([{ level: 'warn', unknown: ['qmp'] }]);
    expect(tracedAreas()).toBe('vmm');
  });

  it('tells how long a call took, and why it failed, which goes on to the caller', async () => {
    start('agent');
    expect(await traceCall('agent', 'agent call', { call: 'a' }, async () => 7)).toBe(7);
    const fault = new Fault('timeout', 'too late');
    await expect(traceCall('agent', 'agent call', { call: 'b' }, () => Promise.reject(fault))).rejects.toBe(fault);
    expect(lines).toMatchObject([
      { call: 'a', ms: expect.any(Number) },
      { call: 'b', error: { code: 'timeout', message: 'too late' } },
    ]);
  });
});
