import { Fault } from '../../proto/fault.ts';
import type { Completed, System } from '../system/port.ts';

/** Runs a program of the guest's root to its end, however long it takes if no time is given. */
export function runTool(system: System, command: readonly string[], timeoutMs?: number): Promise<Completed> {
  const [file = '', ...args] = command;
  return system.run({ file, args, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
}

/** The same, for a program that must succeed: Fault `exec` with what it said if it does not. */
export async function requireTool(system: System, command: readonly string[], timeoutMs?: number): Promise<Completed> {
  const completed = await runTool(system, command, timeoutMs);
  if (completed.exitCode !== 0) throw toolFault(command, completed);
  return completed;
}

export function toolFault(command: readonly string[], { exitCode, stderr: said }: Completed): Fault {
  const stderr = new TextDecoder().decode(said).trim();
  return new Fault('exec', `${command[0]} ended with ${exitCode}: ${stderr || 'it said nothing'}`, {
    fields: { command: command.join(' '), exitCode, stderr },
  });
}
