import { toDeviceNumber } from '../device-number.ts';
import { attempt, isAbsence } from './errors.ts';
import { S_IF, S_IFMT, sys } from './sys.ts';

/** open(2): a name of the file, and no more; nothing is opened, whatever it is. */
const O_PATH = 0o10000000;

export interface LocatedFile {
  /** Without symbolic links, as mountinfo has it. */
  readonly canonicalPath: string;
  /** Of a block device. */
  readonly device?: { readonly major: number; readonly minor: number };
}

/** Undefined if nothing is there. */
export function locateFile(path: string): LocatedFile | undefined {
  let fd: number;
  try {
    fd = attempt(`could not look at ${path}`, () => sys.open(path, O_PATH));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  try {
    const { mode, rdev } = sys.fstat(fd);
    const canonicalPath = sys.readlink(`/proc/self/fd/${fd}`);
    return (mode & S_IFMT) === S_IF.BLK ? { canonicalPath, device: toDeviceNumber(rdev) } : { canonicalPath };
  } finally {
    sys.close(fd);
  }
}
