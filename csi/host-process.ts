import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Fault } from '../proto/fault.ts';
import { HOST_SERVICE, type HostMethods, hostMethods } from '../proto/host-calls.ts';
import { toByteStream } from '../runtime/system/node/unix-socket.ts';
import { type Client, createClient } from '../runtime/system/rpc/ttrpc-client.ts';
import type { FileExtent, HostCalls } from './host-calls.ts';

/** Beside the bundle of berth-csi. */
const PROGRAM = fileURLToPath(new URL('berth-csi-host', import.meta.url));
/** Descriptor of the socket in the helper. */
const SOCKET = 3;

export interface HostProcess {
  readonly calls: HostCalls;
  /** Resolves, with the reason, when no call can be made any more: the server must end then, as its locks are free. */
  readonly closed: Promise<Fault>;
  /** Ends the process, which frees every lock. Idempotent. */
  close(): Promise<void>;
}

/** Starts berth-csi-host, the program `file`. It ends with this process, however that ends: its socket says so. */
export async function startHostProcess(file: string = PROGRAM): Promise<HostProcess> {
  const child = spawn(file, ['serve'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new Fault('environment', `the program ${file} could not be started; "npm run build" makes it`, {
      fields: { file },
      cause,
    });
  }
  const exited = once(child, 'exit');
  const client = createClient(toByteStream(child.stdio[SOCKET] as Socket), HOST_SERVICE, hostMethods);
  return {
    calls: toHostCalls(client),
    closed: client.closed,
    async close() {
      client.close();
      await exited;
    },
  };
}

function toHostCalls(client: Client<HostMethods>): HostCalls {
  return {
    async mount(request) {
      await client.call('mount', request);
    },
    async unmount(target) {
      await client.call('unmount', { target });
    },
    async tryLock(path) {
      const { held, lockId } = await client.call('tryLock', { path });
      if (!held) return undefined;
      return {
        async release() {
          await client.call('unlock', { lockId });
        },
      };
    },
    async clone(from, to) {
      await client.call('clone', { from, to });
    },
    async allocate(path, sizeBytes) {
      await client.call('allocate', { path, sizeBytes });
    },
    extents: (path) => readExtents(client, path),
    attachLoop: (path, { readOnly }) => client.call('attachLoop', { path, readOnly }),
    loopsOf: async (path) => (await client.call('loopsOf', { path })).loops,
    async detachLoop(device) {
      await client.call('detachLoop', device);
    },
    async makeDeviceNode(path, { major, minor }) {
      await client.call('makeDeviceNode', { path, major, minor });
    },
  };
}

/** Page by page: a large and fragmented file has more extents than a message takes. */
async function readExtents(client: Client<HostMethods>, path: string): Promise<FileExtent[]> {
  const all: FileExtent[] = [];
  for (let start = 0; ; ) {
    const { extents, isLast } = await client.call('extents', { path, start });
    all.push(...extents);
    const last = extents.at(-1);
    if (isLast || last === undefined) return all;
    start = last.logical + last.length;
  }
}
