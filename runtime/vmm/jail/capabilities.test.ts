import { expect, it } from 'vitest';
import { checkCapabilities } from './capabilities.ts';

const status = (effective: string): string =>
  `Name:\tshim\nCapPrm:\t0000000000000000\nCapEff:\t${effective}\nCapBnd:\t00\n`;
const bare = { shares: [], taps: [] };
const full = { shares: [{ id: 'r', path: '/r' }], taps: [{ name: 't', queues: 1 }] };

it.each([
  ['all', '000001ffffffffff', full],
  ['what a VM without NIC and share takes', '00000000082801e1', bare],
])('%s is enough', (_, effective, request) => {
  expect(() => checkCapabilities(status(effective), request)).not.toThrow();
});

it.each([
  [
    '0000000000000000',
    bare,
    /without CAP_SYS_ADMIN, CAP_MKNOD, CAP_CHOWN, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_SYS_PTRACE, CAP_KILL;/,
  ],
  ['00000000082801e1', full, /without CAP_NET_ADMIN, CAP_DAC_READ_SEARCH;/],
  ['000001ffffdfffff', full, /without CAP_SYS_ADMIN; run the shim as root/],
])('%s is not, and what is missing is named', (effective, request, message) => {
  expect(() => checkCapabilities(status(effective), request)).toThrow(message);
});
