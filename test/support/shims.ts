import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { type Sandbox, sandboxRecord } from '../../proto/sandbox-record.ts';
import { type CreateContainer, type CreatePod, SHIM_SERVICE, type ShimMethods, shimMethods } from '../../proto/shim.ts';
import { FAILPOINT_VARIABLE } from '../../runtime/system/failpoint.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { type Client, createClient } from '../../runtime/system/rpc/ttrpc-client.ts';
import { type Finished, type Lab, programs } from './lab.ts';

export type ShimClient = Client<ShimMethods>;

/** Shims of a lab without the `berth run` that looks after them: a test says when one is started, and how it dies. */
export interface Shims {
  /** `start` of a pod's shim, to its end; BERTH_FAILPOINT is `failpoint`. */
  start(id: string, failpoint?: string): Promise<Finished>;
  connect(id: string): Promise<ShimClient>;
  /** Undefined if there is none. */
  record(id: string): Promise<Sandbox | undefined>;
  /** How this process sees a pod's log, wherever it goes. */
  logPath(id: string): string;
  /** Create's request of one container with these volumes, no network, and streams to nowhere. */
  request(bundle: string, volumes?: CreateContainer['volumes']): CreatePod;
}

/** `program` is the shim's path. */
export function createShims(lab: Lab, program: string): Shims {
  const paths = (id: string) => podPaths(runPaths(lab.runDirectory), id);
  const system = createNodeSystem();
  return {
    async start(id, failpoint = '') {
      const flags = ['-namespace', 'berth', '-id', id, '-bundle', lab.scratch, '-run-dir', lab.runDirectory];
      const [file = '', ...args] = [...lab.prefix, program, ...flags, 'start'];
      const env = { [FAILPOINT_VARIABLE]: failpoint };
      const { exitCode, stdout, stderr } = await execa(file, args, { reject: false, stdin: 'ignore', env });
      return { exitCode: exitCode ?? 255, stdout, stderr };
    },
    connect: async (id) =>
      createClient(await system.connect(`${lab.root}${paths(id).shimSocket}`), SHIM_SERVICE, shimMethods),
    async record(id) {
      const text = await readFile(`${lab.root}${paths(id).record}`, 'utf8').catch(() => undefined);
      return text === undefined ? undefined : sandboxRecord.decode(text, id);
    },
    logPath: (id) => `${lab.root}${paths(id).shimLog}`,
    request: (bundle, volumes = []) => ({
      containers: [{ id: 'main', bundle, volumes, stdin: '', stdout: '', stderr: '' }],
      netnsPath: '',
      podUid: '',
      directVolumesDirectory: '',
      guestDirectory: programs.guestDirectory,
      memoryMib: 256,
      vcpus: 1,
      accelerator: 'tcg',
      bootTimeoutMs: 120_000,
      qemu: '',
    }),
  };
}
