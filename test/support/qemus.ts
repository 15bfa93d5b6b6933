import { ensureQemu10 } from '../../deploy/setup/qemu-10.ts';

/** The program, beside the QEMU of this machine, which is the first in the PATH. */
export const qemu10 = await ensureQemu10();

/** What pods are tested on, as rows of a table: a name, and what `berth run` is told. */
export const QEMUS: readonly (readonly [name: string, flags: readonly string[]])[] = [
  ["the machine's QEMU", []],
  ['QEMU 10', ['--qemu', qemu10]],
];
