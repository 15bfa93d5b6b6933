import { expect, it } from 'vitest';
import { checkCapabilities } from './capabilities.ts';

const status = (effective: string): string =>
  `Name:\tshim\nCapPrm:\t0000000000000000\nCapEff:\t${effective}\nCapBnd:\t00\n`;

it.each([
  ['all', '000001ffffffffff', true],
  ['what a VM without NIC takes', '00000000082801e5', false],
])('%s is enough', (_, effective, hasTaps) => {
  expect(() => checkCapabilities(status(effective), hasTaps)).not.toThrow();
});

it.each([
  [
    '0000000000000000',
    false,
    /without CAP_SYS_ADMIN, CAP_MKNOD, CAP_CHOWN, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH;/,
  ],
  ['00000000082801e1', true, /without CAP_DAC_READ_SEARCH, CAP_NET_ADMIN;/],
  ['000001ffffdfffff', true, /without CAP_SYS_ADMIN; run the shim as root/],
])('%s is not, and what is missing is named', (effective, hasTaps, message) => {
  expect(() => checkCapabilities(status(effective), hasTaps)).toThrow(message);
});
