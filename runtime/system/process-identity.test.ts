import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseProcess } from './process-identity.ts';

/** A line of /proc/PID/stat: field 22 is the start time, whatever the command is called. */
const stat = (state: string, threads: number): string => {
  const others = Array.from({ length: 30 }, (_, index) => String(index + 4));
  others[16] = String(threads);
  return `7 (a) b (c)) ${state} ${others.join(' ')}`;
};

describe('who has a pid', () => {
  it.each([
    ['one that runs', 'S', 1, { pid: 7, startTicks: 22 }],
    ['one whose first thread has ended before the others', 'Z', 2, { pid: 7, startTicks: 22 }],
    ['nobody, of one that waits to be reaped', 'Z', 1, undefined],
    ['nobody, of one that is dead', 'X', 1, undefined],
  ])('%s', (_, state, threads, expected) => {
    expect(parseProcess(7, stat(state, threads))).toEqual(expected);
  });

  it('is this process, since a time that the kernel gave it', () => {
    const uptimeTicks = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 100;
    const ticks = parseProcess(process.pid, readFileSync('/proc/self/stat', 'latin1'))?.startTicks;
    expect(ticks).toBeGreaterThan(0);
    expect(ticks).toBeLessThanOrEqual(uptimeTicks);
  });
});
