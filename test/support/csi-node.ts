import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { copyCsiProtos } from '../../deploy/setup/csi-protos.ts';
import { bundleNodeProgram } from '../../deploy/setup/node-bundle.ts';
import { type Mount, parseMountinfo } from '../../runtime/system/node/mounts.ts';
import { type CsiClient, connectCsi } from './csi-client.ts';
import { buildCsiHost } from './csi-host.ts';
import { createWorld, firstChild } from './world.ts';

/** A node of Kubernetes as far as a CSI driver sees one: namespaces of its own, a pool, and kubelet's directory. */
export interface CsiNode {
  /** Seen the same by the driver and by this process; mounts in it are not, see `root`. */
  readonly scratch: string;
  readonly pool: string;
  readonly runDirectory: string;
  /** How this process sees the node's root. */
  readonly root: string;
  /** Runs a command as root of the node. */
  run(...command: readonly string[]): Promise<Finished>;
  /** The same for a command that must succeed; answers what it printed. */
  exec(...command: readonly string[]): Promise<string>;
  /** A target path as kubelet prepares it: its parent is there. */
  target(pod: string): Promise<string>;
  /** `flags` replace or join the usual ones, `variables` the environment's; `container` is a containerPrefix(). */
  start(
    flags?: Readonly<Record<string, string>>,
    variables?: Readonly<Record<string, string>>,
    container?: readonly string[],
  ): Promise<CsiProcess>;
  /** To its end, for what must not start. */
  startToEnd(...args: readonly string[]): Promise<Finished>;
  /** What is mounted in the scratch directory. */
  mounts(): Promise<Mount[]>;
  /** Whatever there is of volumes and records, in pool and run directory. */
  remains(): Promise<string[]>;
  close(): Promise<void>;
}

export interface Finished {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CsiProcess {
  readonly socket: string;
  readonly client: CsiClient;
  /** Lines of its log so far. */
  readonly log: readonly string[];
  /** SIGTERM; answers the exit status. */
  stop(): Promise<number | undefined>;
  /** As when the host loses power: nothing is cleared up. */
  crash(): Promise<void>;
  /** Its own end: the signal, undefined if there was none. */
  ended(): Promise<string | undefined>;
}

/** Of `given`, a bundle of berth-csi; without it, one is made from source. */
export async function createCsiNode(given?: string): Promise<CsiNode> {
  const world = await createWorld();
  const { scratch, prefix, root } = world;
  const [pool, runDirectory, kubelet] = ['pool', 'run', 'kubelet'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(pool);
  await mkdir(kubelet);
  const program = given ?? (await buildCsi(join(scratch, 'dist')));
  const usual = {
    endpoint: `unix://${join(scratch, 'csi.sock')}`,
    'node-id': 'node-1',
    'state-dir': join(scratch, 'state'),
    'run-dir': runDirectory,
    pool: `main=image-file:${pool}`,
    'log-level': 'debug',
  };
  const spawn = (command: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const [file = '', ...args] = [...prefix, ...command];
    return execa(file, args, { reject: false, stdin: 'ignore', env });
  };
  const finish = async (command: readonly string[]): Promise<Finished> => {
    const { exitCode, stdout, stderr } = await spawn(command);
    return { exitCode, stdout, stderr };
  };
  return {
    scratch,
    pool,
    runDirectory,
    root,
    run: (...command) => finish(command),
    exec: world.exec,
    async target(pod) {
      const path = join(kubelet, 'pods', pod, 'volumes/kubernetes.io~csi/pv/mount');
      await mkdir(dirname(path), { recursive: true });
      return path;
    },
    async start(flags = {}, variables = {}, container = []) {
      const all: Record<string, string> = { ...usual, ...flags };
      const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...(value === '' ? [] : [value])]);
      const child = spawn([...container, process.execPath, program, ...args], variables);
      const log: string[] = [];
      const lines = createInterface({ input: child.stderr });
      const serving = new Promise<void>((resolve, reject) => {
        lines.on('line', (line) => {
          log.push(line);
          if (line.includes('"message":"serving"')) resolve();
        });
        lines.once('close', () => reject(new Error(`berth-csi did not start:\n${log.join('\n')}`)));
      });
      await serving;
      const command = await firstChild(child.pid ?? 0);
      const pid = container.length === 0 ? command : await firstChild(command);
      const socket = (all['endpoint'] ?? '').replace('unix://', '');
      const client = connectCsi(socket);
      const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | undefined> => {
        client.close();
        process.kill(pid, signal);
        return (await child).exitCode;
      };
      return {
        socket,
        client,
        log,
        stop: () => end('SIGTERM'),
        crash: async () => {
          await end('SIGKILL');
        },
        async ended() {
          const { signal } = await child;
          client.close();
          return signal;
        },
      };
    },
    startToEnd: (...args) => finish([process.execPath, program, ...args]),
    async mounts() {
      const table = parseMountinfo(await readFile(`${root}/proc/1/mountinfo`, 'utf8'));
      return table.filter(({ mountPoint }) => mountPoint.startsWith(`${scratch}/`));
    },
    async remains() {
      const places = [`${pool}/volumes`, `${pool}/incoming`, `${pool}/trash`, `${runDirectory}/volumes`];
      const found = await Promise.all(
        places.map(async (place) => (await list(place)).map((name) => join(place, name))),
      );
      return found.flat();
    },
    close: () => world.close(),
  };
}

/** berth-csi, bundled from source as the build does it. */
async function buildCsi(directory: string): Promise<string> {
  const program = join(directory, 'berth-csi.js');
  await bundleNodeProgram('csi/main.ts', program);
  const helper = await buildCsiHost();
  await copyFile(helper, join(directory, 'berth-csi-host'));
  await copyCsiProtos(directory);
  return program;
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch {
    return [];
  }
}
