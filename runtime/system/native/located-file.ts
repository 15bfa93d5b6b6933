import { toDeviceNumber } from '../device-number.ts';
import { attempt, isAbsence } from './errors.ts';
import { O, S_IF, S_IFMT, sys } from './sys.ts';

const REMOVED = ' (deleted)';

export interface LocatedFile {
  /** Without symbolic links, as mountinfo has it. */
  readonly canonicalPath: string;
  /** Of a block device. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/** Undefined if nothing is there. Nothing is opened, whatever it is. */
export function locateFile(path: string): LocatedFile | undefined {
  let fd: number;
  try {
    fd = attempt(`could not look at ${path}`, () => sys.open(path, O.PATH));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  try {
    const { mode, rdev } = sys.fstat(fd);
    const canonicalPath = withoutMark(sys.readlink(`/proc/self/fd/${fd}`));
    return (mode & S_IFMT) === S_IF.BLK ? { canonicalPath, device: toDeviceNumber(rdev) } : { canonicalPath };
  } finally {
    sys.close(fd);
  }
}

/** What is mounted may have been removed where it came from: the kernel then adds a word to the name of the mount point. */
function withoutMark(path: string): string {
  return path.endsWith(REMOVED) && sys.lstat(path) === null ? path.slice(0, -REMOVED.length) : path;
}
