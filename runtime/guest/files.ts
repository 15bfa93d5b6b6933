import { forgive } from '../system/native/errors.ts';
import { writeAll } from '../system/native/file.ts';
import { O, sys } from '../system/native/sys.ts';

/** The text of a file in memory or of the kernel's; undefined if there is none. */
export function readText(path: string): string | undefined {
  const bytes = sys.findFile(path);
  return bytes === null ? undefined : sys.utf8Decode(bytes);
}

/** Writes a file in memory, or a switch of the kernel's: in place, since nobody reads it meanwhile. */
export function writeBytes(path: string, bytes: Uint8Array): void {
  const fd = sys.open(path, O.WRONLY | O.CREAT | O.TRUNC, 0o644);
  try {
    writeAll(fd, bytes);
  } finally {
    sys.close(fd);
  }
}

export const writeText = (path: string, text: string): void => writeBytes(path, sys.utf8Encode(text));

/** Names in a directory; none if there is no directory. */
export function listNames(path: string): readonly string[] {
  return forgive(['ENOENT'], [], () => sys.readdir(path));
}

/** Removes a file, if it is there. */
export function ensureNoFile(path: string): void {
  forgive(['ENOENT'], undefined, () => sys.unlink(path));
}

/** Removes an empty directory, if it is there. */
export function ensureNoDirectory(path: string): void {
  forgive(['ENOENT'], undefined, () => sys.rmdir(path));
}

/** Unmounts what is mounted at `path`, if anything is. */
export function ensureUnmounted(path: string): void {
  forgive(['EINVAL', 'ENOENT'], undefined, () => sys.umount(path, 0));
}
