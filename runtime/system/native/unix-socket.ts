import { Fault } from '../../../proto/fault.ts';
import { failpoint } from '../failpoint.ts';
import type { ByteStream, Listener } from '../port.ts';
import { attempt, forgive, ioFault, isErrno } from './errors.ts';
import { createStream } from './stream.ts';
import { AF, EAGAIN, S_IF, S_IFMT, SOCK, sys } from './sys.ts';

/** sun_path of sockaddr_un, less the final zero byte (unix(7)). */
const MAX_PATH_BYTES = 107;
const BACKLOG = 128;
/** A listener whose queue is full: connect(2) does not wait on a non-blocking unix socket. */
const RETRY_MS = 5;
const CONNECT_TIMEOUT_MS = 2000;
/** Without descriptors accept(2) fails until some are closed. */
const ACCEPT_PAUSE_MS = 100;

/** Connects to a unix stream socket, as `System.connect` says. */
export async function connectUnix(path: string): Promise<ByteStream> {
  const address = toAddress(path);
  const fd = attempt('could not make a socket', () => sys.socket(AF.UNIX, SOCK.STREAM | SOCK.NONBLOCK, 0));
  try {
    const deadline = sys.now() + CONNECT_TIMEOUT_MS;
    while (sys.connect(fd, address) === EAGAIN) {
      if (sys.now() > deadline) throw new Fault('timeout', `nobody accepts connections at ${path}`);
      await new Promise<void>((resolve) => setTimeout(resolve, RETRY_MS));
    }
  } catch (error) {
    sys.close(fd);
    throw ioFault(error, `could not connect to ${path}`, { path });
  }
  return createStream(fd, path);
}

/** Listens on a unix stream socket, as `System.listen` says. */
export function listenUnix(path: string, accept: (stream: ByteStream) => void): Listener {
  const fd = openListeningSocket(path);
  const inode = sys.lstat(path)?.ino;
  let isOpen = true;
  const acceptAll = (): void => {
    while (isOpen) {
      const connection = forgive(['EMFILE', 'ENFILE'], undefined, () => sys.accept(fd));
      if (connection === EAGAIN) return;
      if (connection === undefined) {
        sys.watch(fd, null, null);
        setTimeout(() => isOpen && sys.watch(fd, acceptAll, null), ACCEPT_PAUSE_MS);
        return;
      }
      accept(createStream(connection, path));
    }
  };
  sys.watch(fd, acceptAll, null);
  return {
    async close() {
      if (!isOpen) return;
      isOpen = false;
      // Somebody else's socket may have taken the name.
      if (sys.lstat(path)?.ino === inode) forgive(['ENOENT'], undefined, () => sys.unlink(path));
      sys.close(fd);
    },
  };
}

/**
 * A descriptor that listens on `path`, for a child that will serve it: whoever connects waits in the queue until the
 * child answers, and is turned away when the last process that holds the descriptor has ended.
 */
export function openListeningSocket(path: string): number {
  const address = toAddress(path);
  ensureNoStaleSocket(path, address);
  const fd = attempt('could not make a socket', () => sys.socket(AF.UNIX, SOCK.STREAM | SOCK.NONBLOCK, 0));
  try {
    bindPrivately(fd, address);
    sys.listen(fd, BACKLOG);
    failpoint('socket.bound');
    return fd;
  } catch (error) {
    sys.close(fd);
    throw ioFault(error, `could not listen on ${path}`, { path });
  }
}

/** The socket is never open to others, not even between bind and a chmod. */
function bindPrivately(fd: number, address: Uint8Array): void {
  const umask = sys.umask(0o177);
  try {
    sys.bind(fd, address);
  } finally {
    sys.umask(umask);
  }
}

/** Removes a socket that nobody serves. `busy` if somebody does; `precondition` if the path is no socket. */
function ensureNoStaleSocket(path: string, address: Uint8Array): void {
  const found = attempt(`could not look at ${path}`, () => sys.lstat(path));
  if (found === null) return;
  if ((found.mode & S_IFMT) !== S_IF.SOCK) {
    throw new Fault('precondition', `${path} exists and is not a socket`, { fields: { path } });
  }
  if (isServed(path, address)) {
    throw new Fault('busy', `another process serves ${path}; stop it or choose another path`, { fields: { path } });
  }
  attempt(`could not remove the stale socket ${path}`, () => sys.unlink(path));
}

function isServed(path: string, address: Uint8Array): boolean {
  const fd = sys.socket(AF.UNIX, SOCK.STREAM | SOCK.NONBLOCK, 0);
  try {
    sys.connect(fd, address); // EAGAIN: a queue that is full has an owner
    return true;
  } catch (error) {
    if (isErrno(error, 'ECONNREFUSED', 'ENOENT')) return false;
    throw ioFault(error, `could not find out whether ${path} is served`);
  } finally {
    sys.close(fd);
  }
}

/** sockaddr_un: family in host order, path, zero byte. */
function toAddress(path: string): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (name.length > MAX_PATH_BYTES) {
    throw new Fault('invalid', `the socket path ${path} has ${name.length} bytes; the kernel takes ${MAX_PATH_BYTES}`, {
      fields: { path },
    });
  }
  const address = new Uint8Array(2 + name.length + 1);
  address[0] = AF.UNIX;
  address.set(name, 2);
  return address;
}
