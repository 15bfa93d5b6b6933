import { once } from 'node:events';
import { chmod, lstat, stat, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { Fault } from '../../../proto/fault.ts';
import type { ByteStream, Listener } from '../port.ts';
import { errorCode } from './errno.ts';

/** sun_path of sockaddr_un, less the final zero byte; the kernel would cut a longer one silently. */
const MAX_PATH_BYTES = 107;

export async function connectUnix(path: string): Promise<ByteStream> {
  requireShort(path);
  const socket = createConnection({ path });
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw new Fault('io', `could not connect to ${path}`, { fields: { path }, cause });
  }
  return toByteStream(socket);
}

export async function listenUnix(path: string, accept: (stream: ByteStream) => void): Promise<Listener> {
  await ensureNoStaleSocket(path);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    accept(toByteStream(socket));
  });
  try {
    server.listen(path);
    await once(server, 'listening');
    await chmod(path, 0o600);
  } catch (cause) {
    server.close();
    throw new Fault('io', `could not listen on ${path}`, { fields: { path }, cause });
  }
  const closed = once(server, 'close');
  return {
    async close() {
      if (server.listening) server.close(); // removes the socket
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Removes a socket that nobody serves. `busy` if somebody does; `precondition` if the path is no socket, or its directory
 * is not there.
 */
export async function ensureNoStaleSocket(path: string): Promise<void> {
  requireShort(path);
  const found = await lstat(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new Fault('io', `could not look at ${path}`, { cause: error });
  });
  if (found === undefined) return requireParent(path);
  if (!found.isSocket()) throw new Fault('precondition', `${path} exists and is not a socket`, { fields: { path } });
  if (await isServed(path)) {
    throw new Fault('busy', `another process serves ${path}; stop it or choose another path`, { fields: { path } });
  }
  await unlink(path);
}

/** libuv reports a missing directory as EACCES, which sends everybody looking for permissions. */
async function requireParent(path: string): Promise<void> {
  const directory = dirname(path);
  await stat(directory).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENOENT')
      throw new Fault('io', `could not look at ${directory}`, { fields: { path }, cause });
    const message = `the directory of the socket ${path} is not there; make it ("mkdir -p ${directory}")`;
    throw new Fault('precondition', message, { fields: { path } });
  });
}

async function isServed(path: string): Promise<boolean> {
  try {
    const stream = await connectUnix(path);
    stream.close();
    return true;
  } catch (error) {
    const reason = errorCode(error instanceof Fault ? error.cause : undefined);
    if (reason === 'ECONNREFUSED' || reason === 'ENOENT') return false;
    throw error;
  }
}

/** Pulled: the socket is paused by the kernel's buffer whenever nobody reads. */
export function toByteStream(socket: Socket): ByteStream {
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  return {
    async read() {
      for (;;) {
        const chunk: Buffer | null = socket.read();
        if (chunk !== null) return new Uint8Array(chunk);
        if (socket.readableEnded || socket.destroyed) return undefined;
        await Promise.race([nextEvent(socket), ended]);
      }
    },
    write: (data) =>
      new Promise((resolve, reject) => {
        socket.write(data, (error) => {
          if (error === null || error === undefined) resolve();
          else reject(new Fault('io', 'the peer closed the connection', { cause: failure ?? error }));
        });
      }),
    close: () => {
      socket.destroy();
    },
  };
}

function nextEvent(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('readable', done);
      socket.off('end', done);
      resolve();
    };
    socket.on('readable', done);
    socket.on('end', done);
  });
}

function requireShort(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_PATH_BYTES) return;
  throw new Fault('invalid', `the socket path ${path} has ${bytes} bytes; the kernel takes ${MAX_PATH_BYTES}`, {
    fields: { path },
  });
}
