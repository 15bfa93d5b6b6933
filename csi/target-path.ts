import type { Stats } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Fault } from '../proto/fault.ts';
import { errorCode } from '../runtime/system/node/errno.ts';

/** A target path as the kernel sees it. */
export interface Target {
  /** Canonical but for the last component, which is not followed: the mount table knows no symbolic links. */
  readonly path: string;
  /** Undefined if there is nothing. */
  readonly found: Stats | undefined;
  /** Whether another file system is mounted there; a bind mount of the parent's own does not show. */
  readonly isMounted: boolean;
}

/** kubelet's directory may be a symbolic link, the target itself must not. Undefined if its directory is not there. */
export async function findTarget(targetPath: string): Promise<Target | undefined> {
  const directory = dirname(targetPath);
  const [parent, around, found] = await Promise.all([
    realpath(directory).catch(absentOr(`could not resolve ${directory}`)),
    stat(directory).catch(absentOr(`could not look at ${directory}`)),
    lstat(targetPath).catch(absentOr(`could not look at ${targetPath}`)),
  ]);
  if (parent === undefined || around === undefined) return undefined;
  const path = `${parent === '/' ? '' : parent}/${basename(targetPath)}`;
  return { path, found, isMounted: found !== undefined && around.dev !== found.dev };
}

export function targetRefusal(targetPath: string, problem: string): Fault {
  return new Fault('precondition', `target_path ${targetPath} ${problem}`, { fields: { targetPath } });
}

/** For `catch`: undefined where there is nothing, else the failure as a Fault. */
export function absentOr(failure: string): (cause: unknown) => undefined {
  return (cause) => {
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw new Fault('io', failure, { cause });
  };
}
