import { podPaths, runPaths } from '../../../proto/paths.ts';
import { type Sandbox, sandboxRecord } from '../../../proto/sandbox-record.ts';
import { run } from '../../system/node/exec.ts';
import type { System } from '../../system/port.ts';
import { isRunning } from '../../system/process-identity.ts';
import { readRecords } from '../read-records.ts';
import { ensureNoDeadPod } from '../shim-client.ts';
import type { Finding, Repair } from './finding.ts';
import { listVmmProcesses, type VmmProcess } from './processes.ts';

/** A directory below `pods/`, and what is alive of it. */
export interface PodFacts {
  readonly id: string;
  readonly directory: string;
  readonly record: Sandbox | undefined;
  /** Why the record cannot be read. */
  readonly problem: string | undefined;
  /** A shim holds the directory's lock. */
  readonly isServed: boolean;
  readonly shimRuns: boolean;
  readonly vmmRuns: boolean;
  /** VMMs by their log, whoever recorded them. */
  readonly processes: readonly VmmProcess[];
}

/** `shim` is the program that clears up. */
export async function examinePods(system: System, runDirectory: string, shim: string): Promise<Finding[]> {
  const run = runPaths(runDirectory);
  const processes = await listVmmProcesses(run.pods);
  const pods: PodFacts[] = [];
  for (const id of await system.list(run.pods)) pods.push(await readPod(system, runDirectory, id, processes));
  const findings = pods.flatMap((pod) => {
    const clear: Repair['apply'] = () => ensureNoDeadPod({ program: shim, id: pod.id, bundle: '/', runDirectory });
    return judgePod(pod, clear);
  });
  const strays = judgeProcesses(processes, pods);
  if (findings.length + strays.length > 0) return [...findings, ...strays];
  return [{ area: 'pods', status: 'ok', what: `${pods.length} pods, each with its shim` }];
}

async function readPod(
  system: System,
  runDirectory: string,
  id: string,
  processes: readonly VmmProcess[],
): Promise<PodFacts> {
  const { directory, record: path } = podPaths(runPaths(runDirectory), id);
  const isServed = (await run({ file: 'flock', args: ['--nonblock', directory, 'true'] })).exitCode !== 0;
  const { found, unreadable } = await readRecords(system, sandboxRecord, [path]);
  const record = found[0]?.record;
  return {
    id,
    directory,
    record,
    problem: unreadable[0]?.problem,
    isServed,
    shimRuns: record !== undefined && (await isRunning(system, record.shim)),
    vmmRuns: record?.vmm !== undefined && (await isRunning(system, record.vmm)),
    processes: processes.filter(({ podId }) => podId === id),
  };
}

export function judgePod(pod: PodFacts, clear: Repair['apply']): Finding[] {
  const { id, directory, record, problem, isServed, shimRuns, vmmRuns, processes } = pod;
  if (isServed || shimRuns) return [];
  const orphan = { area: 'pods', status: 'orphan', mend: `berth stop ${id}` } as const;
  if (problem !== undefined) {
    const what = `pod ${id} has no shim, and its record cannot be read, which may name a VMM: ${problem}`;
    const end = processes.map(({ pid }) => `kill ${pid}; `).join('');
    return [{ ...orphan, what, mend: `${end}rm -r ${directory}` }];
  }
  if (vmmRuns) {
    const what = `pod ${id} has no shim any more, but its VM runs (VMM ${record?.vmm?.pid}); ending it ends what it does`;
    return [{ ...orphan, what }];
  }
  const what = `pod ${id} has no shim any more, and left ${directory}`;
  // Who runs on is found by its own name, below: the directory is where it can still be reached.
  if (processes.length > 0) return [{ ...orphan, what }];
  const proof = 'its lock is free, shim and VMM are gone by pid and start time, and no process writes its log';
  return [{ ...orphan, what, repair: { proof, apply: clear } }];
}

/** VMMs of berth that no record names: they may hold volumes, and their guests may still write. */
export function judgeProcesses(
  processes: readonly VmmProcess[],
  pods: readonly Pick<PodFacts, 'id' | 'record' | 'problem' | 'isServed'>[],
): Finding[] {
  return processes.flatMap(({ pid, podId }): Finding[] => {
    const pod = pods.find(({ id }) => id === podId);
    if (pod?.problem !== undefined || pod?.record?.vmm?.pid === pid) return [];
    // Its shim records it a moment after it exists.
    if (pod?.isServed === true && pod.record?.vmm === undefined) return [];
    const what = `process ${pid} is a VMM of pod ${podId} that no record names; its guest may still write to its volumes`;
    return [{ area: 'pods', status: 'orphan', what, mend: `kill ${pid}` }];
  });
}
