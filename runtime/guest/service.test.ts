import { expect, it } from 'vitest';
import { parseMemoryTotal } from './service.ts';

it('reads the memory of the guest', () => {
  expect(parseMemoryTotal('MemTotal:         217568 kB\nMemFree:          179132 kB\n')).toBe(217_568 * 1024);
  expect(parseMemoryTotal('')).toBe(0);
});
