import { expect, it } from 'vitest';
import { planKernelParameters } from './kernel-parameters.ts';

const ALWAYS = ['console=ttyS0', 'quiet', 'panic=-1'];

it.each([
  ['tcg', 2_299_998, '', [...ALWAYS, 'tsc_early_khz=2299998', 'lpj=9199992']],
  ['tcg', 0, '', ALWAYS],
  ['kvm', 2_299_998, '', ALWAYS],
  ['kvm', 0, 'agent,netlink', [...ALWAYS, 'BERTH_TRACE=agent,netlink']],
] as const)('%s on a host of %i kHz, tracing "%s"', (chosen, tscKhz, trace, expected) => {
  expect(planKernelParameters({ accelerator: { chosen, reason: 'asked for' }, tscKhz, trace })).toEqual(expected);
});
