import { podPaths, runPaths } from '../../proto/paths.ts';
import { type Sandbox, sandboxRecord } from '../../proto/sandbox-record.ts';
import type { System } from '../system/port.ts';
import { isRunning } from '../system/process-identity.ts';
import { type Records, readRecords } from './read-records.ts';

export type Pod = Sandbox & {
  /** Whether the pod's shim runs: without it nobody answers for the pod. */
  readonly alive: boolean;
};

export interface Pods {
  readonly pods: readonly Pod[];
  readonly unreadable: Records<unknown>['unreadable'];
}

/** Every pod of the node, by its record. A pod that ends while the list is read is left out. */
export async function listPods(system: System, runDirectory: string): Promise<Pods> {
  const run = runPaths(runDirectory);
  const paths = (await system.list(run.pods)).map((id) => podPaths(run, id).record);
  const { found, unreadable } = await readRecords(system, sandboxRecord, paths);
  const pods = found.map(async ({ record }) => ({ ...record, alive: await isRunning(system, record.shim) }));
  return { pods: await Promise.all(pods), unreadable };
}
