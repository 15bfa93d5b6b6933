import { failpoint } from '../failpoint.ts';
import type { WriteOptions } from '../port.ts';
import { attempt, forgive, isErrno } from './errors.ts';
import { O, S_IF, S_IFMT, sys } from './sys.ts';

/** Replaces a file atomically, as `System.writeFile` says. */
export function replaceFile(path: string, data: Uint8Array, { mode, durable }: WriteOptions): void {
  attempt(`could not write ${path}`, () => {
    const temporary = `${path}.${randomName()}.tmp`;
    const fd = sys.open(temporary, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, mode);
    try {
      try {
        sys.chmod(temporary, mode); // whatever the umask
        writeAll(fd, data);
        if (durable) sys.fsync(fd);
      } finally {
        sys.close(fd);
      }
      failpoint('file.temporary');
      sys.rename(temporary, path);
      failpoint('file.renamed');
    } catch (error) {
      forgive(['ENOENT', 'ENOTDIR'], undefined, () => sys.unlink(temporary));
      throw error;
    }
    if (durable) syncDirectory(parentOf(path));
  });
}

/** Removes a file or an empty directory, as `System.remove` says. */
export function removeEntry(path: string, { durable }: { durable: boolean }): boolean {
  return attempt(`could not remove ${path}`, () => {
    const removed = forgive(['ENOENT', 'ENOTDIR'], false, () => {
      if (((sys.lstat(path)?.mode ?? 0) & S_IFMT) === S_IF.DIR) sys.rmdir(path);
      else sys.unlink(path);
      return true;
    });
    if (removed) failpoint('file.removed');
    if (removed && durable) syncDirectory(parentOf(path));
    return removed;
  });
}

/** Makes a directory and its parents, as `System.makeDirectory` says. */
export function ensureDirectory(path: string, mode: number): void {
  attempt(`could not make the directory ${path}`, () => makeParents(path, mode));
}

function makeParents(path: string, mode: number): void {
  if (isDirectory(path)) return;
  try {
    makeOne(path, mode);
  } catch (error) {
    if (isErrno(error, 'EEXIST') && isDirectory(path)) return;
    if (!isErrno(error, 'ENOENT')) throw error;
    makeParents(parentOf(path), mode);
    // Once: whoever makes the same parents may have come before us, and procfs says ENOENT although they are there.
    if (!forgive(['EEXIST'], false, () => makeOne(path, mode)) && !isDirectory(path)) throw error;
  }
}

function makeOne(path: string, mode: number): true {
  sys.mkdir(path, mode);
  failpoint('directory.made');
  return true;
}

const isDirectory = (path: string): boolean => ((sys.stat(path)?.mode ?? 0) & S_IFMT) === S_IF.DIR;

/** Writes to a descriptor that blocks: a regular file. */
export function writeAll(fd: number, data: Uint8Array): void {
  for (let offset = 0; offset < data.length; ) offset += sys.write(fd, data, offset);
}

function syncDirectory(path: string): void {
  const fd = sys.open(path, O.RDONLY | O.DIRECTORY);
  try {
    sys.fsync(fd);
  } finally {
    sys.close(fd);
  }
  failpoint('directory.synced');
}

function parentOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  const end = trimmed.lastIndexOf('/');
  if (end === -1) return '.';
  return end === 0 ? '/' : trimmed.slice(0, end);
}

const randomName = (): string => [...sys.getrandom(6)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
