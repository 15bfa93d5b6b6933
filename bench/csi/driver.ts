import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { signalInWorld, type World } from '../../test/support/world.ts';
import type { AbsentPeer, BenchContext } from '../core/suite.ts';
import { connectWire, type WireClient } from './wire-client.ts';

/** A CSI driver that serves a node of its own, and a client of it: the same client for each driver. */
export interface Driver {
  readonly name: string;
  readonly call: WireClient['call'];
  /** Directory in which kubelet would keep the pods. */
  readonly kubelet: string;
  /** Ends it and starts it again; answers ms from the spawn of the new process to its first reply. */
  restart(): Promise<number>;
  close(): Promise<void>;
}

export interface Drivers {
  /** berth's first. */
  readonly drivers: readonly Driver[];
  readonly absent: AbsentPeer[];
}

/** All drivers, with their data on the file system of the world's scratch directory. */
export async function openDrivers(world: World, context: BenchContext): Promise<Drivers> {
  const drivers = [await openBerth(world, 'berth')];
  const absent: AbsentPeer[] = [];
  for (const { name, locate, wayOut, recordedMinimum } of context.peers('csi-driver')) {
    const file = await locate();
    if (file === undefined) {
      absent.push({ name, reason: `not on this machine; what brings it: ${wayOut}`, recordedMinimum });
    } else {
      drivers.push(await openDriver(world, name, (socket, directory) => hostPathCommand(file, socket, directory)));
    }
  }
  return { drivers, absent };
}

/** `name` is also that of its directory: several may be open. */
export const openBerth = (world: World, name: string): Promise<Driver> => openDriver(world, name, berthCommand);

type Command = (socket: string, directory: string) => readonly string[];

/**
 * The run directory is on a tmpfs, as on a node. Thousands of volumes are promised more than the machine may have; the
 * peer does not count.
 */
const berthCommand: Command = (socket, directory) => [
  ...[process.execPath, findPrograms().csi, '--endpoint', `unix://${socket}`, '--node-id', 'bench'],
  ...['--state-dir', join(directory, 'state'), '--run-dir', `/run/${basename(directory)}`, '--log-level', 'warn'],
  ...['--pool', `bench=image-file:${join(directory, 'pool')},overcommit=unlimited`],
];

const hostPathCommand = (file: string, socket: string, directory: string): readonly string[] => [
  ...[file, '--drivername=hostpath.csi.k8s.io', `--endpoint=unix://${socket}`, '--nodeid=bench'],
  ...[`--statedir=${join(directory, 'state')}`, '--v=0'],
];

async function openDriver(world: World, name: string, toCommand: Command): Promise<Driver> {
  const directory = join(world.scratch, name.replace(/\W+/g, '-'));
  const kubelet = join(directory, 'kubelet');
  for (const each of ['state', 'pool', 'kubelet']) await mkdir(join(directory, each), { recursive: true });
  const socket = join(directory, 'csi.sock');
  const command = [...world.prefix, ...toCommand(socket, directory)];
  let running = await startDriver(name, command, socket);
  return {
    name,
    kubelet,
    call: (service, verb, request) => running.client.call(service, verb, request),
    async restart() {
      await running.stop();
      const startMs = performance.now();
      running = await startDriver(name, command, socket);
      return performance.now() - startMs;
    },
    async close() {
      await running.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

interface RunningDriver {
  readonly client: WireClient;
  stop(): Promise<void>;
}

/** Until its first reply. */
async function startDriver(name: string, command: readonly string[], socket: string): Promise<RunningDriver> {
  const [file = '', ...args] = command;
  const process = execa(file, args, { reject: false, stdin: 'ignore', stdout: 'ignore' });
  const ended = process.then(({ stderr }) => {
    throw new Fault('exec', `${name} ended before it was told to: ${stderr}`);
  });
  ended.catch(() => {}); // as it does when it is told to
  const client = await Promise.race([connectWire(socket, findPrograms().csiProto), ended]);
  await Promise.race([client.call('Identity', 'Probe', {}), ended]);
  return {
    client,
    async stop() {
      client.close();
      await signalInWorld(process.pid ?? 0, 'SIGTERM');
      await process;
    },
  };
}
