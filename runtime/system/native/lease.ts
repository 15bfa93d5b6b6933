import { Fault } from '../../../proto/fault.ts';
import { attempt, isErrno } from './errors.ts';
import { writeAll } from './file.ts';
import { EAGAIN, LOCK, O, sys } from './sys.ts';

/** `shared`: with others that share it, for those who only read. */
export type LeaseMode = 'exclusive' | 'shared';

export type Lease =
  /** Held: as long as this descriptor, or a copy that a child inherited, is open. Nothing can be written through it. */
  | { readonly fd: number }
  /** The text of whoever holds it; empty if they have not written it yet. */
  | { readonly heldBy: string };

/**
 * Takes a volume's lease: the lock of the file `path`, which must exist, and names the owner in it. The file is never
 * replaced, because the lock belongs to its inode, and the lock is the truth whatever the text says.
 */
export function acquireLease(path: string, ownerText: string, mode: LeaseMode = 'exclusive'): Lease {
  const operation = (mode === 'shared' ? LOCK.SH : LOCK.EX) | LOCK.NB;
  const fd = openLease(path);
  try {
    if (attempt(`could not lock ${path}`, () => sys.flock(fd, operation)) === EAGAIN) {
      const heldBy = new TextDecoder().decode(sys.readFile(path));
      sys.close(fd);
      return { heldBy };
    }
    checkSameFile(fd, path);
    attempt(`could not write the owner into ${path}`, () => writeOwner(fd, ownerText));
    return { fd };
  } catch (error) {
    sys.close(fd);
    throw error;
  }
}

function openLease(path: string): number {
  try {
    return attempt(`could not open the lease ${path}`, () => sys.open(path, O.RDONLY));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new Fault('not-found', `the volume has no lease file ${path}`, { fields: { path }, cause: error });
  }
}

/** Between open and lock the volume may have been deleted: the lock of a file that nobody can reach protects nothing. */
function checkSameFile(fd: number, path: string): void {
  const locked = sys.fstat(fd);
  const found = attempt(`could not look at ${path}`, () => sys.stat(path));
  if (found?.dev === locked.dev && found.ino === locked.ino) return;
  throw new Fault('not-found', `the volume of ${path} was deleted`, { fields: { path } });
}

/** Emptied first: a crash in between leaves no owner, never half of one followed by the tail of another. */
function writeOwner(fd: number, ownerText: string): void {
  const writable = sys.open(`/proc/self/fd/${fd}`, O.WRONLY | O.TRUNC);
  try {
    writeAll(writable, new TextEncoder().encode(ownerText));
  } finally {
    sys.close(writable);
  }
}
