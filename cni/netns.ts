import { Fault } from '../proto/fault.ts';
import { attempt, forgive } from '../runtime/system/native/errors.ts';
import { CLONE, O, sys } from '../runtime/system/native/sys.ts';

export interface Netns {
  readonly path: string;
  /** `dev:inode`: a path can come to name another namespace. */
  readonly id: string;
}

/** A path that leads nowhere, or to what is no namespace. */
const NO_NAMESPACE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO', 'EINVAL'];

/**
 * Moves the process into the network namespace at `path`; undefined if there is none (any more): no such file, or one
 * that no namespace is mounted on, or another than `wantedId`. Only the network changes: paths of files mean what they
 * meant.
 */
export function enterNetns(path: string, wantedId?: string): Netns | undefined {
  return attempt(`could not enter the network namespace ${path}`, () =>
    forgive(NO_NAMESPACE, undefined, () => {
      // NONBLOCK: a FIFO would hold the open until somebody writes.
      const fd = sys.open(path, O.RDONLY | O.NONBLOCK);
      try {
        const { dev, ino } = sys.fstat(fd);
        const id = `${dev}:${ino}`;
        if (wantedId !== undefined && id !== wantedId) return undefined;
        sys.setns(fd, CLONE.NEWNET);
        return { path, id };
      } finally {
        sys.close(fd);
      }
    }),
  );
}

/** What /proc answers of a thread that has ended since it was listed, or that this one may not look into. */
const NO_THREAD = ['ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES'];

/**
 * Paths to the network namespaces that threads are in, by their `dev:inode`: of those too that no other path leads to.
 * A runtime's VMM may be a thread, while the others of its process are in the node's. Reads all of /proc, and sees no
 * more than its PID namespace.
 */
export function listNetnsOfThreads(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const list = (directory: string): string[] => forgive(NO_THREAD, [], () => sys.readdir(directory));
  for (const pid of list('/proc')) {
    for (const tid of list(`/proc/${pid}/task`)) {
      const path = `/proc/${pid}/task/${tid}/ns/net`;
      const stat = forgive(NO_THREAD, null, () => sys.stat(path));
      if (stat !== null) found.set(`${stat.dev}:${stat.ino}`, path);
    }
  }
  return found;
}

/** Moves the process into one of them; `known` may be a while old. Undefined if no thread is there (any more). */
export function enterNetnsOfThread(id: string, known = listNetnsOfThreads()): Netns | undefined {
  // The thread that was found may have ended, and others be there still.
  for (const list of [() => known, listNetnsOfThreads]) {
    const path = list().get(id);
    if (path === undefined) return undefined;
    const netns = forgive(NO_THREAD, undefined, () => enterNetns(path, id));
    if (netns !== undefined) return netns;
  }
  return undefined;
}

/** `dev:inode` of the network namespace that the process is in. */
export function currentNetnsId(): string {
  const stat = sys.stat('/proc/self/ns/net');
  if (stat === null) throw new Fault('environment', '/proc/self/ns/net is not there: mount /proc');
  return `${stat.dev}:${stat.ino}`;
}
