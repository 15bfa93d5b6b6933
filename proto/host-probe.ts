import * as v from 'valibot';
import { ACCELERATORS } from './accelerator.ts';
import { defineRecord, filled } from './record.ts';

/**
 * What `containerd-shim-berth-v2 probe` prints: what a pod VM would find on this host. Asked by `berth doctor`, so that
 * what it says is what the shim goes by.
 */
export const hostProbeRecord = defineRecord('host probe', 1, {
  vmm: v.strictObject({
    version: filled,
    accelerators: v.array(v.picklist(ACCELERATORS)),
    virtioBlk: v.boolean(),
    nineP: v.boolean(),
    ioUring: v.boolean(),
  }),
  /** What `auto` comes to; absent unless a guest directory was named. */
  accelerator: v.optional(v.strictObject({ chosen: v.picklist(ACCELERATORS), reason: filled })),
});
export type HostProbe = ReturnType<typeof hostProbeRecord.decode>;
