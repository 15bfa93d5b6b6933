import type { Log } from '../system/log.ts';
import { within } from '../system/within.ts';
import type { Vm } from '../vmm/port.ts';
import type { SandboxHost } from './host.ts';

const LOOKS_EVERY_MS = 5_000;
const KEPT_BYTES = 1 << 20;

/**
 * A guest's console and its VMM's log are written by those whom nobody trusts, and into the host's memory: of each only
 * the end is kept. Resolves when the VM is gone.
 */
export async function boundLogs(
  { host, log }: { readonly host: Pick<SandboxHost, 'forgetHead'>; readonly log: Log },
  vm: Pick<Vm, 'exited'>,
  paths: readonly string[],
): Promise<void> {
  try {
    while ((await within(LOOKS_EVERY_MS, vm.exited)) === undefined) {
      for (const path of paths) host.forgetHead(path, KEPT_BYTES);
    }
  } catch (error) {
    log.warn("the guest's console and the VMM's log are not kept short", { error });
  }
}
