import { podPaths, runPaths } from '../../proto/paths.ts';
import { type Sandbox, sandboxRecord } from '../../proto/sandbox-record.ts';
import type { System } from '../system/port.ts';
import { isRunning } from '../system/process-identity.ts';
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
