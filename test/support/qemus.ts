import { ensureQemu10 } from '../../deploy/setup/qemu-10.ts';

/** The program, beside the QEMU of this machine, which is the first in the PATH. */
export const qemu10 = await ensureQemu10();

/** What pods are tested on, as rows of a table: a name, and what `berth run` is told. */
export const QEMUS: readonly (readonly [name: string, flags: readonly string[]])[] = [
  ["the machine's QEMU", []],
  ['QEMU 10', ['--qemu', qemu10]],
];

/**
 * Flags of a pod with two. QEMU before 8.1 may run an instruction of one emulated processor that the other has just
 * replaced, and so end a kernel that patches itself while it boots:
 * https://bugzilla.redhat.com/show_bug.cgi?id=2216496
 */
export const twoProcessors: readonly string[] = ['--cpus', '2', '--qemu', qemu10];
