import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseStartTicks } from './process-identity.ts';

describe('start time of a process', () => {
  it('is field 22, whatever the command is called', () => {
    const fields = Array.from({ length: 40 }, (_, index) => String(index + 3)).join(' ');
    expect(parseStartTicks(`7 (a) b (c)) ${fields}`)).toBe(22);
  });

  it('is one that the kernel gave this process', () => {
    const uptimeTicks = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 100;
    const ticks = parseStartTicks(readFileSync('/proc/self/stat', 'latin1'));
    expect(ticks).toBeGreaterThan(0);
    expect(ticks).toBeLessThanOrEqual(uptimeTicks);
  });
});
