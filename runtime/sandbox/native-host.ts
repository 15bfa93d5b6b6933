import { Fault } from '../../proto/fault.ts';
import { attempt, isAbsence } from '../system/native/errors.ts';
import { forgetHead } from '../system/native/forget-head.ts';
import { acquireLease } from '../system/native/lease.ts';
import { locateFile } from '../system/native/located-file.ts';
import { run } from '../system/native/run.ts';
import { createStream } from '../system/native/stream.ts';
import { CLONE, EAGAIN, LOCK, O, S_IF, S_IFMT, type Stat, sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { listLinks } from '../system/netlink/link.ts';
import { openNetlink } from '../system/netlink/socket.ts';
import type { ByteStream } from '../system/port.ts';
import { trace } from '../system/trace.ts';
import type { HeldLease, Netns, SandboxHost } from './host.ts';

/** This program, also when its file has been replaced since. */
const OWN_PROGRAM = '/proc/self/exe';

/** The host as the static binary sees it. */
export function createNativeHost(): SandboxHost {
  return {
    system: createNativeSystem(),
    describePath(path) {
      const stat = attempt(`could not look at ${path}`, () => sys.stat(path));
      if (stat === null) return 'absent';
      return typeOf(stat) === S_IF.DIR ? 'directory' : 'other';
    },
    locate: locateFile,
    openNetns,
    readLinkAliases: (netns) => inNetns(netns, readAliases),
    takeLease(path, ownerText, mode) {
      const lease = acquireLease(path, ownerText, mode);
      return 'fd' in lease ? owned(lease.fd) : lease;
    },
    tryLock(path) {
      const fd = attempt(`could not open the lock ${path}`, () => sys.open(path, O.RDWR | O.CREAT, 0o600));
      if (attempt(`could not lock ${path}`, () => sys.flock(fd, LOCK.EX | LOCK.NB)) !== EAGAIN) return owned(fd);
      sys.close(fd);
      return undefined;
    },
    forgetHead,
    openFifo,
    async writeDurable(path, content, mode, lease) {
      const args = ['write-durable', path, mode.toString(8)];
      const { exitCode, stderr } = await run({ file: OWN_PROGRAM, args, stdin: content, descriptors: [lease.fd] });
      trace('record')?.('record written', { path, durable: true, exitCode });
      if (exitCode === 0) return;
      const said = new TextDecoder().decode(stderr).trim();
      throw new Fault('io', `could not write ${path}${said === '' ? '' : `: ${said}`}`, { fields: { path } });
    },
  };
}

/** A descriptor of ours and the way to close it, once. */
function owned(fd: number): HeldLease {
  let isOpen = true;
  return {
    fd,
    close() {
      if (isOpen) sys.close(fd);
      isOpen = false;
    },
  };
}

function openNetns(path: string): Netns {
  let fd: number;
  try {
    fd = attempt(`could not open the network namespace ${path}`, () => sys.open(path, O.RDONLY));
  } catch (error) {
    if (!isAbsence(error)) throw error;
    throw new Fault('not-found', `there is no network namespace ${path}`, { fields: { path }, cause: error });
  }
  const { dev, ino } = sys.fstat(fd);
  return { ...owned(fd), id: `${dev}:${ino}` };
}

/** Runs `body` in the namespace: without an await, so that nothing else of this process finds itself there. */
function inNetns<T>(netns: Netns, body: () => T): T {
  const own = sys.open('/proc/self/ns/net', O.RDONLY);
  try {
    attempt('could not enter the network namespace of the pod', () => sys.setns(netns.fd, CLONE.NEWNET));
    try {
      return body();
    } finally {
      sys.setns(own, CLONE.NEWNET);
    }
  } finally {
    sys.close(own);
  }
}

function readAliases(): ReadonlyMap<string, string> {
  const netlink = openNetlink();
  try {
    return new Map(listLinks(netlink).map(({ name, alias = '' }) => [name, alias]));
  } finally {
    netlink.close();
  }
}

/**
 * Output is opened read-write: a reader that comes late, or goes and comes back, finds what was written, and none that
 * is gone kills us with SIGPIPE. Input is opened for reading only, or its end would never come; a FIFO without a writer
 * yet would read as ended, so the first read waits until there is something to see.
 */
function openFifo(path: string, direction: 'read' | 'write'): ByteStream {
  const flags = (direction === 'read' ? O.RDONLY : O.RDWR) | O.NONBLOCK;
  const fd = attempt(`could not open the FIFO ${path}`, () => sys.open(path, flags));
  if (typeOf(sys.fstat(fd)) !== S_IF.FIFO) {
    sys.close(fd);
    throw new Fault('invalid', `${path} is no FIFO`, { fields: { path } });
  }
  const stream = createStream(fd, path);
  return direction === 'read' ? afterFirstWriter(fd, stream) : stream;
}

function afterFirstWriter(fd: number, stream: ByteStream): ByteStream {
  let firstNews: Promise<void> | undefined;
  let stopWaiting = (): void => {};
  return {
    async read() {
      firstNews ??= new Promise((resolve) => {
        stopWaiting = resolve;
        sys.watch(fd, resolve, null);
      });
      await firstNews;
      return stream.read();
    },
    write: (data) => stream.write(data),
    close() {
      firstNews ??= Promise.resolve();
      stream.close();
      stopWaiting();
    },
  };
}

const typeOf = (stat: Stat): number => stat.mode & S_IFMT;
