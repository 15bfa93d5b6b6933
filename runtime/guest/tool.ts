import { Fault } from '../../proto/fault.ts';
import type { Completed, System } from '../system/port.ts';

/** Runs a program of the guest's root to its end. */
export function runTool(system: System, command: readonly string[], timeoutMs: number): Promise<Completed> {
  const [file = '', ...args] = command;
  return system.run({ file, args, timeoutMs });
}

/** The same, for a program that must succeed: Fault `exec` with what it said if it does not. */
export async function requireTool(system: System, command: readonly string[], timeoutMs: number): Promise<Completed> {
  const completed = await runTool(system, command, timeoutMs);
  if (completed.exitCode === 0) return completed;
  const stderr = new TextDecoder().decode(completed.stderr).trim();
  throw new Fault('exec', `${command[0]} ended with ${completed.exitCode}: ${stderr || 'it said nothing'}`, {
    fields: { command: command.join(' '), exitCode: completed.exitCode, stderr },
  });
}
