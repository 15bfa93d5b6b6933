import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { writeBundle } from '../../deploy/demo/bundle.ts';
import { type CsiServer, startCsiServer } from '../../deploy/demo/csi-server.ts';
import { type PodProcess, startPod } from '../../deploy/demo/pod-process.ts';
import { findRemains } from '../../deploy/demo/remains.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { sandboxRecord } from '../../proto/sandbox-record.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { BootLimit } from './boot-limit.ts';
import { within } from './within.ts';
import { createWorld, signalInWorld, type World } from './world.ts';

export const programs = findPrograms();

/** What a `berth` command printed and how it ended. */
export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type LabPod = PodProcess & {
  /** As from a terminal, to the `berth run` itself. */
  signal(signal: NodeJS.Signals): Promise<void>;
};

/** A world with the built programs in it: pods are run by `berth run`, volumes by `berth-csi`, as a user would. */
export interface Lab extends World {
  readonly poolDirectory: string;
  bundle(name: string, script: string): Promise<string>;
  /** `berth ARGS` to its end; `stdin` is the container's. */
  berth(args: readonly string[], stdin?: string): Promise<Finished>;
  /** `berth run` to its end. */
  run(name: string, script: string, flags?: readonly string[]): Promise<Finished>;
  /** `berth run` in the background. */
  start(name: string, script: string, flags?: readonly string[]): Promise<LabPod>;
  /** The same with a bundle that is there. */
  startBundle(name: string, bundle: string, flags?: readonly string[]): LabPod;
  /** `pod.line(key)`, with the guest's console in the error when it comes late. */
  line(pod: PodProcess, key: string): Promise<string>;
  csi(): Promise<CsiServer>;
  /** The shim's and the VMM's pid, as the world counts, of a running pod. */
  sandbox(id: string): Promise<{ readonly shim: number; readonly vmm: number }>;
  /** SIGKILL to a process of the world, as the world counts. */
  kill(...pids: readonly number[]): Promise<void>;
  /** Resolves when the pod's shim has recorded its VMM: the guest boots. */
  waitForVmm(id: string): Promise<void>;
  remains(): Promise<readonly string[]>;
}

/** Emulated, on every host the same, unless the flags say otherwise: the last one counts. */
const withAccelerator = ([command = '', ...args]: readonly string[]): readonly string[] =>
  command === 'run' ? [command, '--accelerator', 'tcg', ...args] : [command, ...args];

export async function createLab(): Promise<Lab> {
  const world = await createWorld();
  const poolDirectory = join(world.scratch, 'pool');
  await exec('mkdir', ['-p', join(poolDirectory, 'volumes')]);
  const berth = [...world.prefix, process.execPath, programs.berth];
  const limit = new BootLimit();
  let bundles = 0;
  const bundle = (name: string, script: string) => {
    bundles += 1;
    return writeBundle(join(world.scratch, 'bundles', `${name}-${bundles}`), script);
  };
  const startBundle: Lab['startBundle'] = (name, path, flags = []) => {
    const pod = startPod(name, [...berth, ...withAccelerator(['run', path, '--id', name, ...flags])]);
    const signal = (name: NodeJS.Signals) => signalInWorld(pod.pid, name);
    const end = async () => {
      await signal('SIGTERM');
      return pod.exitCode;
    };
    return { ...pod, signal, end };
  };
  const recordPath = (id: string) => `${world.root}${podPaths(runPaths(world.runDirectory), id).record}`;
  const consoleTail = async (id: string): Promise<string> => {
    const path = `${world.root}${podPaths(runPaths(world.runDirectory), id).console}`;
    return (await readFile(path, 'utf8').catch(() => '(no console)')).split('\n').slice(-40).join('\n');
  };
  const finish: Lab['berth'] = async (args, stdin = '') => {
    const [file = '', ...rest] = [...berth, ...withAccelerator(args)];
    const result = await execa(file, rest, { reject: false, input: stdin, stripFinalNewline: false });
    return { exitCode: result.exitCode ?? 255, stdout: result.stdout, stderr: result.stderr };
  };
  return {
    ...world,
    poolDirectory,
    bundle,
    berth: finish,
    run: async (name, script, flags = []) => finish(['run', await bundle(name, script), '--id', name, ...flags]),
    start: async (name, script, flags) => startBundle(name, await bundle(name, script), flags),
    startBundle,
    async line(pod, key) {
      const startMs = performance.now();
      const found = await within(`${pod.name} says ${key}`, limit.ms, pod.line(key), () => consoleTail(pod.name));
      limit.measured(performance.now() - startMs);
      return found;
    },
    csi: () =>
      startCsiServer({
        command: [...world.prefix, process.execPath, programs.csi],
        socket: '/run/csi.sock',
        clientSocket: `${world.root}/run/csi.sock`,
        stateDirectory: '/run/csi',
        pool: { name: 'pool', directory: poolDirectory },
        protoPath: programs.csiProto,
        terminate: (pid) => signalInWorld(pid, 'SIGTERM'),
      }),
    async sandbox(id) {
      const path = recordPath(id);
      const { shim, vmm } = sandboxRecord.decode(await readFile(path, 'utf8'), path);
      return { shim: shim.pid, vmm: vmm?.pid ?? 0 };
    },
    async kill(...pids) {
      await world.exec('kill', '-KILL', ...pids.map(String));
    },
    async waitForVmm(id) {
      const path = recordPath(id);
      const hasVmm = async () => sandboxRecord.decode(await readFile(path, 'utf8'), path).vmm !== undefined;
      const deadline = performance.now() + limit.ms;
      // Where the record will be does not exist yet, so there is nothing that could be watched.
      while (!(await hasVmm().catch(() => false))) {
        if (performance.now() > deadline) throw new Error(`pod ${id} has no VMM\n${await consoleTail(id)}`);
        await setTimeout(20);
      }
    },
    remains: () => findRemains({ root: world.root, runDirectory: world.runDirectory, poolDirectory }),
  };
}
