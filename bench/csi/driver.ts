import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { createCsiClient } from '../../deploy/demo/csi-client.ts';
import { Fault } from '../../proto/fault.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { signalInWorld, type World } from '../../test/support/world.ts';
import type { AbsentPeer, BenchContext } from '../core/suite.ts';

/** A CSI driver that serves a node of its own, and a client of it: the same client for each driver. */
export interface Driver {
  readonly name: string;
  call(service: 'Controller' | 'Node', verb: string, request: object): Promise<object>;
  /** Directory in which kubelet would keep the pods. */
  readonly kubelet: string;
  close(): Promise<void>;
}

export interface Drivers {
  /** berth's first. */
  readonly drivers: readonly Driver[];
  readonly absent: AbsentPeer[];
}

/** All drivers, with their data on the file system of the world's scratch directory. */
export async function openDrivers(world: World, context: BenchContext): Promise<Drivers> {
  const drivers = [await openDriver(world, 'berth', berthCommand)];
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

type Command = (socket: string, directory: string) => readonly string[];

const berthCommand: Command = (socket, directory) => [
  ...[process.execPath, findPrograms().csi, '--endpoint', `unix://${socket}`, '--node-id', 'bench'],
  ...['--state-dir', join(directory, 'state'), '--run-dir', join(directory, 'run'), '--log-level', 'warn'],
  ...['--pool', `bench=image-file:${join(directory, 'pool')}`],
];

const hostPathCommand = (file: string, socket: string, directory: string): readonly string[] => [
  ...[file, '--drivername=hostpath.csi.k8s.io', `--endpoint=unix://${socket}`, '--nodeid=bench'],
  ...[`--statedir=${join(directory, 'state')}`, '--v=0'],
];

async function openDriver(world: World, name: string, toCommand: Command): Promise<Driver> {
  const directory = join(world.scratch, name);
  const kubelet = join(directory, 'kubelet');
  for (const each of ['state', 'pool', 'kubelet']) await mkdir(join(directory, each), { recursive: true });
  const socket = join(directory, 'csi.sock');
  const [file = '', ...args] = [...world.prefix, ...toCommand(socket, directory)];
  const process = execa(file, args, { reject: false, stdin: 'ignore', stdout: 'ignore' });
  const client = createCsiClient(socket, findPrograms().csiProto);
  const ended = process.then(({ stderr }) => {
    throw new Fault('exec', `${name} ended before it was told to: ${stderr}`);
  });
  await Promise.race([client.call('Identity', 'Probe', {}), ended]);
  ended.catch(() => {});
  return {
    name,
    kubelet,
    call: (service, verb, request) => client.call(service, verb, request),
    async close() {
      client.close();
      await signalInWorld(process.pid ?? 0, 'SIGTERM');
      await process;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
