import { Fault } from '../../proto/fault.ts';
import { ioFault, isErrno } from '../system/native/errors.ts';
import { O, RESOLVE, type Stat, sys } from '../system/native/sys.ts';
import { frozenFault } from './freezer.ts';

/** What mkdir(2) heeds of a mode. */
const DIRECTORY_MODE = 0o1777;
/** A rename elsewhere in the guest may come between a look-up's steps (EAGAIN of openat2); it will not do so for ever. */
const ATTEMPTS = 32;

/** A place of a volume: of the disk `serial`, mounted at `root`. */
export interface VolumePlace {
  readonly serial: string;
  readonly root: string;
  /** Then nothing is made: `busy`. */
  readonly isFrozen: boolean;
  /** Relative; empty for the whole volume. */
  readonly subPath: string;
}

/**
 * Opens the place (O_PATH). Nothing on the way leads out of the volume, also when a container changes it meanwhile:
 * each step is the kernel's (RESOLVE_BENEATH), and what it has found is only used by its descriptor. Directories that are
 * missing are made like the volume's root.
 */
export function openPlace(place: VolumePlace): number {
  const names = parseSubPath(place.subPath);
  const root = sys.open(place.root, O.PATH | O.DIRECTORY);
  try {
    return openBelow(place, root, names) ?? makeBelow(place, root, names);
  } finally {
    sys.close(root);
  }
}

/** Names of a relative path. `..` is refused as kubelet refuses it, wherever it leads. */
export function parseSubPath(subPath: string): readonly string[] {
  const names = subPath.split('/').filter((name) => name !== '' && name !== '.');
  if (!subPath.startsWith('/') && !names.includes('..')) return names;
  const message = `the sub path ${JSON.stringify(subPath)} is not relative, or contains ".."`;
  throw new Fault('invalid', message, { fields: { subPath } });
}

/** Undefined if there is nothing. */
function openBelow(place: VolumePlace, root: number, names: readonly string[]): number | undefined {
  const path = names.length === 0 ? '.' : names.join('/');
  for (let attempts = 1; ; attempts += 1) {
    try {
      return sys.openat2(root, path, O.PATH, RESOLVE.BENEATH | RESOLVE.NO_MAGICLINKS);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      if (isErrno(error, 'EAGAIN') && attempts < ATTEMPTS) continue;
      throw pathFault(place, error);
    }
  }
}

function makeBelow(place: VolumePlace, root: number, names: readonly string[]): number {
  const like = sys.fstat(root);
  let current = sys.open(place.root, O.PATH | O.DIRECTORY);
  for (const depth of names.keys()) {
    const parent = current;
    const path = names.slice(0, depth + 1);
    try {
      current = openBelow(place, root, path) ?? makeDirectory(place, root, parent, path, like);
    } finally {
      sys.close(parent);
    }
  }
  return current;
}

/** By the parent's descriptor, whatever its path leads to now; neither call follows a link of the new name. */
function makeDirectory(place: VolumePlace, root: number, parent: number, path: readonly string[], like: Stat): number {
  if (place.isFrozen) throw frozenFault(place.serial);
  const entry = `/proc/self/fd/${parent}/${path.at(-1)}`;
  const umask = sys.umask(0);
  try {
    sys.mkdir(entry, like.mode & DIRECTORY_MODE);
    sys.chown(entry, like.uid, like.gid);
  } catch (error) {
    throw pathFault(place, error);
  } finally {
    sys.umask(umask);
  }
  const made = openBelow(place, root, path);
  if (made !== undefined) return made;
  throw new Fault('busy', `${describePlace(place)} was removed while it was made; try again`);
}

const REASONS: Readonly<Record<string, string>> = {
  EXDEV: 'leads out of the volume, by a symbolic link, and berth does not follow it',
  ELOOP: 'goes through symbolic links without end',
  EEXIST: 'goes through a symbolic link that leads nowhere',
  ENOTDIR: 'goes through a file',
  EROFS: 'is missing, and the volume is read-only',
};

function pathFault(place: VolumePlace, error: unknown): unknown {
  const fields = { serial: place.serial, subPath: place.subPath };
  for (const [code, reason] of Object.entries(REASONS)) {
    if (!isErrno(error, code)) continue;
    return new Fault('precondition', `${describePlace(place)} ${reason}`, { fields, cause: error });
  }
  return ioFault(error, `${describePlace(place)} could not be opened`, fields);
}

const describePlace = ({ serial, subPath }: VolumePlace): string =>
  `the sub path ${JSON.stringify(subPath)} of disk ${serial}`;
