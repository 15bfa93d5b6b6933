import { expect, it } from 'vitest';
import { planKernelParameters } from './kernel-parameters.ts';

const ALWAYS = ['console=ttyS0', 'quiet', 'panic=-1'];

it.each([
  ['tcg', 2_299_998, [...ALWAYS, 'tsc_early_khz=2299998', 'lpj=9199992']],
  ['tcg', 0, ALWAYS],
  ['kvm', 2_299_998, ALWAYS],
] as const)('%s on a host of %i kHz', (accelerator, tscKhz, expected) => {
  expect(planKernelParameters(accelerator, tscKhz)).toEqual(expected);
});
