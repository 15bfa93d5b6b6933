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

/** `dev:inode` of the network namespace that the process is in. */
export function currentNetnsId(): string {
  const stat = sys.stat('/proc/self/ns/net');
  if (stat === null) throw new Fault('environment', '/proc/self/ns/net is not there: mount /proc');
  return `${stat.dev}:${stat.ino}`;
}
