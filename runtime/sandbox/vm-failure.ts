import { asFault, Fault } from '../../proto/fault.ts';
import type { SandboxId } from '../../proto/ids.ts';
import type { System } from '../system/port.ts';
import { within } from '../system/within.ts';
import type { Vm, VmExit } from '../vmm/port.ts';
import { readConsoleTail } from './console-tail.ts';

/** The guest's channels break a moment before the VMM's end is known. */
const EXIT_NEWS_MS = 1_000;

interface Failing {
  readonly system: System;
  readonly id: SandboxId;
  readonly vm: Vm | undefined;
  readonly consolePath: string;
}

/**
 * Why something that needed the guest failed: if the VMM is gone, that is the reason; in any case with what the guest
 * said last on its console (fields.console). Without a VM, the failure itself.
 */
export async function explainVmFailure({ system, id, vm, consolePath }: Failing, thrown: unknown): Promise<Fault> {
  const fault = asFault(thrown, 'internal', 'unexpected error');
  if (vm === undefined) return fault;
  const exit = fault.code === 'io' ? await within(EXIT_NEWS_MS, vm.exited) : undefined;
  const { code, message, fields } = exit === undefined ? fault : { ...vmEnded(id, exit), fields: fault.fields };
  const console = await readConsoleTail(system, consolePath);
  return new Fault(code, message, {
    fields: console === '' ? fields : { ...fields, console },
    cause: exit === undefined ? fault.cause : fault,
  });
}

/** The VMM ended without being asked. */
function vmEnded(id: SandboxId, { code, signal, lastWords }: VmExit): { code: 'exec'; message: string } {
  const exited = code === undefined ? 'ended' : `exited with status ${code}`;
  const how = signal > 0 ? `was killed by signal ${signal}` : exited;
  return { code: 'exec', message: `the VMM of sandbox ${id} ${how}${lastWords === '' ? '' : `: ${lastWords}`}` };
}
