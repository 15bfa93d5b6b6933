import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../proto/fault.ts';
import { podPaths, type RunPaths, runPaths } from '../proto/paths.ts';
import { SHIM_SERVICE, type ShimMethods, shimMethods } from '../proto/shim.ts';
import { silentLog } from '../runtime/system/log.ts';
import { createNodeSystem } from '../runtime/system/node/system.ts';
import type { ByteStream, Listener } from '../runtime/system/port.ts';
import { defineService, type Handlers, serve } from '../runtime/system/rpc/ttrpc-server.ts';

/** Tests stand in for the shims of pods: real sockets, real ttrpc, no VM. */
export interface TestShims {
  readonly run: RunPaths;
  /** The shim of a sandbox listens; calls that `handlers` lacks are refused. */
  start(sandboxId: string, handlers: Partial<Handlers<ShimMethods>>): Promise<Listener>;
  /** Something listens that reads and says nothing. */
  startDeaf(sandboxId: string): Promise<Listener>;
  close(): Promise<void>;
}

/** In the run directory, or in one of their own. */
export async function createTestShims(runDirectory?: string): Promise<TestShims> {
  const system = createNodeSystem();
  const root = runDirectory ?? (await mkdtemp(join(tmpdir(), 'berth-shims-')));
  const run = runPaths(root);
  const listeners: Listener[] = [];
  const listen = async (sandboxId: string, accept: (stream: ByteStream) => void): Promise<Listener> => {
    const { directory, shimSocket } = podPaths(run, sandboxId);
    await mkdir(directory, { recursive: true });
    const listener = await system.listen(shimSocket, accept);
    listeners.push(listener);
    return listener;
  };
  return {
    run,
    start: (sandboxId, handlers) => {
      const service = defineService(SHIM_SERVICE, shimMethods, { ...refusing(), ...handlers });
      return listen(sandboxId, (stream) => serve(stream, service, silentLog));
    },
    startDeaf: (sandboxId) => listen(sandboxId, () => {}),
    async close() {
      for (const listener of listeners) await listener.close();
      if (runDirectory === undefined) await rm(root, { recursive: true });
    },
  };
}

function refusing(): Handlers<ShimMethods> {
  const refuse = async () => {
    throw new Fault('unsupported', 'the test has no answer to this call');
  };
  const names = Object.keys(shimMethods);
  return Object.fromEntries(names.map((name) => [name, refuse])) as unknown as Handlers<ShimMethods>;
}
