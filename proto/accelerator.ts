import * as v from 'valibot';
import { count, defineRecord, filled } from './record.ts';

/** What carries out the guest's instructions: KVM the processor itself, TCG an emulator that needs no hardware. */
export const ACCELERATORS = ['tcg', 'kvm'] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

/** What may be asked for: `auto` is KVM where it runs the pod VMs' guest, TCG elsewhere. */
export const ACCELERATOR_WISHES = ['auto', ...ACCELERATORS] as const;
export type AcceleratorWish = (typeof ACCELERATOR_WISHES)[number];

/**
 * /run/berth/accelerator.json: what `auto` came to, by booting a guest. Good for this boot of the host, this VMM and this
 * guest, and for no other. Written by the shim that tried it, under the lock beside it; removing it makes the next pod try
 * again.
 */
export const acceleratorRecord = defineRecord('accelerator', 1, {
  bootId: filled,
  /** Program and version. */
  vmm: filled,
  /** sha256 of what the guest boots. */
  kernel: filled,
  initrd: filled,
  root: filled,
  chosen: v.picklist(ACCELERATORS),
  /** A sentence's worth, for a person. */
  reason: filled,
  triedAtMs: count,
});
export type AcceleratorRecord = ReturnType<typeof acceleratorRecord.decode>;
