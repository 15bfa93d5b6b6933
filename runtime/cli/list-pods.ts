import { podPaths, runPaths } from '../../proto/paths.ts';
import { type ProcessIdentity, type Sandbox, sandboxRecord } from '../../proto/sandbox-record.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';

export type Pod = Sandbox & {
  /** Whether the pod's shim runs: without it nobody answers for the pod. */
  readonly alive: boolean;
};

/** Every pod of the node, by its record. A pod that ends while the list is read is left out. */
export async function listPods(system: System, runDirectory: string): Promise<readonly Pod[]> {
  const run = runPaths(runDirectory);
  const pods: Pod[] = [];
  for (const id of await system.list(run.pods)) {
    const sandbox = await recordFile(system, sandboxRecord, podPaths(run, id).record, { durable: false }).load();
    if (sandbox !== undefined) pods.push({ ...sandbox, alive: await isRunning(system, sandbox.shim) });
  }
  return pods;
}

/** A pid alone may have been reused; with the start time it names one process until the next boot. */
async function isRunning(system: System, process: ProcessIdentity): Promise<boolean> {
  const stat = await system.readFile(`/proc/${process.pid}/stat`);
  return stat !== undefined && parseStartTicks(new TextDecoder().decode(stat)) === process.startTicks;
}

/** Field 22 of /proc/PID/stat (proc(5)). The command name, field 2, may itself hold blanks and parentheses. */
export function parseStartTicks(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}
