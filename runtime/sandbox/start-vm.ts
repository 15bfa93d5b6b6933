import type { SandboxId } from '../../proto/ids.ts';
import type { RunPaths } from '../../proto/paths.ts';
import type { Vm, VmmDriver, VmSpec } from '../vmm/port.ts';
import type { GuestContext } from './guest-connection.ts';
import type { HeldLease, Netns } from './host.ts';
import type { SandboxStore } from './store.ts';

export interface PodContext extends GuestContext {
  readonly id: SandboxId;
  readonly run: RunPaths;
  readonly store: SandboxStore;
  /** `qemu` is the path of the VMM; undefined: the first of the PATH. */
  readonly createDriver: (qemu: string | undefined) => VmmDriver;
  /** Throws when the pod is not wanted any more. */
  readonly checkWanted: () => void;
  /** The VM is there: whoever stops the pod before it is complete ends it. */
  readonly onVm: (vm: Vm) => void;
}

export interface HandedDown {
  readonly netns: Netns | undefined;
  /** Held by the VMM for its life. */
  readonly leases: readonly HeldLease[];
}

/** The VM of the pod; whoever undoes the pod kills it. */
export async function startVm(
  { undo, paths, store, onVm }: PodContext,
  driver: VmmDriver,
  spec: VmSpec,
  { netns, leases }: HandedDown,
): Promise<Vm> {
  let vm: Vm | undefined;
  undo.defer('VMM', () => vm?.kill());
  vm = await driver.start(spec, {
    netns: netns?.fd,
    held: leases.map(({ fd }) => fd),
    log: paths.vmmLog,
    onProcess: (vmm) => store.update({ vmm }),
  });
  onVm(vm);
  return vm;
}
