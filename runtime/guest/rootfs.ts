import { asFault } from '../../proto/fault.ts';
import { guestRootfsPath } from '../../proto/guest-layout.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { sys } from '../system/native/sys.ts';
import type { Undo } from '../system/undo.ts';
import { ensureNoDirectory, ensureUnmounted } from './files.ts';
import { MS } from './mount-flags.ts';

/** virtio's 9p transport moves at most 128 pages at once. The share is read-only, so the guest may cache all it saw. */
const SHARE_OPTIONS = 'trans=virtio,version=9p2000.L,msize=512000,cache=loose';

interface Layers {
  /** The share. */
  readonly lower: string;
  /** tmpfs of its own: a container that fills its root fills nothing of the agent's. */
  readonly writable: string;
  readonly upper: string;
  readonly work: string;
  readonly merged: string;
}

function layersOf(directory: string, containerId: string): Layers {
  const writable = `${directory}/writable`;
  return {
    lower: `${directory}/lower`,
    writable,
    upper: `${writable}/upper`,
    work: `${writable}/work`,
    merged: guestRootfsPath(containerId),
  };
}

/**
 * Mounts a container's root: the share below, a layer in memory above, also for a read-only root, whose mount points crun
 * must make before it closes it.
 */
export function mountRootfs(directory: string, containerId: string, shareTag: string, undo: Undo): void {
  const layers = layersOf(directory, containerId);
  undo.defer(`root of ${containerId}`, () => ensureNoRootfs(directory, containerId));
  for (const path of [layers.lower, layers.writable, layers.merged]) ensureDirectory(path, 0o755);
  try {
    sys.mount(shareTag, layers.lower, '9p', MS.RDONLY | MS.NODEV, SHARE_OPTIONS);
    sys.mount('tmpfs', layers.writable, 'tmpfs', 0, 'mode=0755');
    for (const path of [layers.upper, layers.work]) sys.mkdir(path, 0o755);
    const options = `lowerdir=${layers.lower},upperdir=${layers.upper},workdir=${layers.work}`;
    sys.mount('overlay', layers.merged, 'overlay', 0, options);
  } catch (error) {
    throw asFault(error, 'io', `the root of container ${containerId} (share ${shareTag}) does not mount`, { shareTag });
  }
}

export function ensureNoRootfs(directory: string, containerId: string): void {
  const { merged, writable, lower } = layersOf(directory, containerId);
  for (const path of [merged, writable, lower]) {
    ensureUnmounted(path);
    ensureNoDirectory(path);
  }
}
