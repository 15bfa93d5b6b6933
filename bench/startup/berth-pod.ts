import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { sandboxRecord } from '../../proto/sandbox-record.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { signalInWorld, type World } from '../../test/support/world.ts';
import type { ComparedPod } from './compared-pod.ts';

/** A pod as `berth run` starts it. */
export async function startBerthPod(world: World, bundle: string, name: string): Promise<ComparedPod> {
  const command = [process.execPath, findPrograms().berth, 'run', bundle, '--id', name, '--accelerator', 'tcg'];
  const [file = '', ...args] = [...world.prefix, ...command];
  const startMs = performance.now();
  const pod = execa(file, args, { reject: false, stdin: 'ignore', buffer: { stdout: false } });
  const ended = pod.then(({ stderr }) => {
    throw new Fault('exec', `berth run ended before its container said anything: ${stderr}`);
  });
  await Promise.race([once(pod.stdout, 'data'), ended]);
  const startedMs = performance.now() - startMs;
  ended.catch(() => {});
  pod.stdout.resume();
  const { record } = podPaths(runPaths(world.runDirectory), name);
  const { shim, vmm } = sandboxRecord.decode(await readFile(`${world.root}${record}`, 'utf8'), record);
  const inProc = (pid: number | undefined): string => `${world.root}/proc/${pid}`;
  return {
    startedMs,
    vmm: inProc(vmm?.pid),
    shim: inProc(shim.pid),
    async end() {
      await signalInWorld(pod.pid ?? 0, 'SIGTERM');
      await pod;
    },
  };
}
