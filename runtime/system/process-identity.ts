import type { ProcessIdentity } from '../../proto/sandbox-record.ts';
import type { System } from './port.ts';

/** Undefined if no such process exists; also if it ends while it is looked at, which the kernel answers with ESRCH. */
export async function readProcessIdentity(system: System, pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await system.readFile(`/proc/${pid}/stat`).catch(() => undefined);
  return stat === undefined ? undefined : { pid, startTicks: parseStartTicks(new TextDecoder().decode(stat)) };
}

/** A pid alone may have been reused; with the start time it names one process until the next boot. */
export async function isRunning(system: System, process: ProcessIdentity): Promise<boolean> {
  const found = await readProcessIdentity(system, process.pid);
  return found?.startTicks === process.startTicks;
}

/** Field 22 of /proc/PID/stat (proc(5)). The command name, field 2, may itself hold blanks and parentheses. */
export function parseStartTicks(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}
