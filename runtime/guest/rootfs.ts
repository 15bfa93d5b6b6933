import { asFault } from '../../proto/fault.ts';
import { guestRootfsPath } from '../../proto/guest-layout.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { sys } from '../system/native/sys.ts';
import type { Undo } from '../system/undo.ts';
import { ensureNoDirectory, ensureUnmounted } from './files.ts';

/** tmpfs of its own: a container that fills its root fills nothing of the agent's. */
const writablePath = (bundle: string): string => `${bundle}/writable`;

/**
 * Mounts a container's root: the share `lower` below, a layer in memory above; also for a read-only root, whose mount
 * points crun must make before it closes it.
 */
export function mountRootfs(bundle: string, containerId: string, lower: string, undo: Undo): void {
  const writable = writablePath(bundle);
  const [upper, work, merged] = [`${writable}/upper`, `${writable}/work`, guestRootfsPath(containerId)];
  undo.defer(`root of ${containerId}`, () => ensureNoRootfs(bundle, containerId));
  for (const path of [writable, merged]) ensureDirectory(path, 0o755);
  try {
    sys.mount('tmpfs', writable, 'tmpfs', 0, 'mode=0755');
    for (const path of [upper, work]) sys.mkdir(path, 0o755);
    sys.mount('overlay', merged, 'overlay', 0, `lowerdir=${lower},upperdir=${upper},workdir=${work}`);
  } catch (error) {
    throw asFault(error, 'io', `the root of container ${containerId} does not mount`, { containerId, lower });
  }
}

export function ensureNoRootfs(bundle: string, containerId: string): void {
  for (const path of [guestRootfsPath(containerId), writablePath(bundle)]) {
    ensureUnmounted(path);
    ensureNoDirectory(path);
  }
}
