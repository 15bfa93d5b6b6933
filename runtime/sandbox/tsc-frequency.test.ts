import { expect, it } from 'vitest';
import { parseTscKhz } from './tsc-frequency.ts';

it.each([
  ['processor\t: 0\ncpu MHz\t\t: 2499.998\ncache size\t: 1 KB\n\nprocessor\t: 1\ncpu MHz\t\t: 1200.000\n', 2_499_998],
  ['processor\t: 0\nBogoMIPS\t: 50.00\n', 0],
  ['', 0],
])('%j has %d kHz', (cpuinfo, khz) => {
  expect(parseTscKhz(cpuinfo)).toBe(khz);
});
