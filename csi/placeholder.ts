import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdir, rmdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../proto/fault.ts';
import { placeholderSource } from '../proto/volume-attachment.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { errorCode } from '../runtime/system/node/errno.ts';
import { type Mount, readMounts, topmostMount } from '../runtime/system/node/mounts.ts';
import type { Undo } from '../runtime/system/undo.ts';
import { ensureNoEmptyDirectories } from './empty-directories.ts';
import type { HostCalls } from './host-calls.ts';
import { isPlaceholderText, placeholderText } from './placeholder-text.ts';
import { absentOr, findTarget, type Target, targetRefusal } from './target-path.ts';

/**
 * What stands at a target path on the host: a tmpfs of one page, full. kubelet sees a mount and can make directories for
 * subPath; the runtime reads the volume's id from its source; a pod without a VM fails at the first byte it writes,
 * instead of writing beside the volume.
 *
 * A node may have ten thousand mounts, and the kernel takes long to list them: the text of the placeholder says whose it
 * is, and the mount table is read only where something else is found than what berth left. On a tmpfs nobody waits for a
 * disk: what is read and written there is done at once, which takes a tenth of a turn in Node's thread pool.
 */
export const PLACEHOLDER_FILE = 'THIS_VOLUME_NEEDS_A_BERTH_RUNTIMECLASS';
/** nosuid, nodev, noexec (MS_* of mount(2)). */
const FLAGS = 0x2 | 0x4 | 0x8;
/** Inodes for the directories of deep subPaths: a path of 34 components was seen. */
const DATA = 'size=1,nr_inodes=1024,mode=0555';
/** f_type of statfs(2). */
const TMPFS = 0x01021994;

/** Undone by `undo` as far as this call made it; what was there before stays. */
export async function ensurePlaceholder(
  host: HostCalls,
  targetPath: string,
  volumeId: string,
  undo: Undo,
): Promise<void> {
  const target = await requireDirectory(targetPath);
  if (target === undefined) throw targetRefusal(targetPath, `cannot be made: ${dirname(targetPath)} is not there`);
  if (target.found === undefined) {
    undo.defer('target directory', () => removeDirectory(target.path));
    await makeDirectory(target.path);
  } else if (await isOurs(target, volumeId)) {
    return;
  } else if (await holdsUnfilled(target, targetPath, volumeId)) {
    return fill(target.path, volumeId);
  }
  undo.defer('placeholder', async () => {
    await ensureNoMount(host, target.path, volumeId);
  });
  const source = placeholderSource(volumeId);
  await host.mount({ source, target: target.path, fsType: 'tmpfs', flags: FLAGS, data: DATA });
  failpoint('mount.made');
  fill(target.path, volumeId);
}

/** Unmounts every layer that is ours and removes the directory. Fault `precondition` if anything stays at the path. */
export async function ensureNoPlaceholder(host: HostCalls, targetPath: string, volumeId: string): Promise<void> {
  const target = await requireDirectory(targetPath);
  if (target?.found === undefined) return;
  // As a rule there is one layer: what is below it shows in that the directory cannot be removed.
  if (await isOurs(target, volumeId)) await unmount(host, target.path);
  if (await removeBare(target.path)) return;
  const left = await ensureNoMount(host, target.path, volumeId);
  if (left !== undefined) throw targetRefusal(targetPath, describeMount(left));
  const entry = await ensureNoEmptyDirectories(target.path, { keepRoot: false });
  if (entry !== undefined) throw targetRefusal(targetPath, `holds ${entry}, which is not berth's to remove`);
}

async function requireDirectory(targetPath: string): Promise<Target | undefined> {
  const target = await findTarget(targetPath);
  if (target?.found?.isDirectory() === false) throw targetRefusal(targetPath, 'is not a directory');
  return target;
}

/** Whether the topmost mount is the volume's placeholder, by its text. False also for one that is not filled yet. */
async function isOurs({ path, isMounted }: Target, volumeId: string): Promise<boolean> {
  if (!isMounted || (await statfs(path)).type !== TMPFS) return false;
  try {
    return isPlaceholderText(readFileSync(`${path}/${PLACEHOLDER_FILE}`, 'utf8'), volumeId);
  } catch (cause) {
    absentOr(`could not read ${path}/${PLACEHOLDER_FILE}`)(cause);
    return false;
  }
}

/** Whether the directory has the volume's tmpfs, of a verb that was killed before it filled it. Refuses anything else. */
async function holdsUnfilled({ path }: Target, targetPath: string, volumeId: string): Promise<boolean> {
  const top = topmostMount(await readMounts(), path);
  if (top !== undefined && isSource(top, volumeId)) return true;
  if (top !== undefined) throw targetRefusal(targetPath, describeMount(top));
  const left = await ensureNoEmptyDirectories(path, { keepRoot: true });
  if (left !== undefined) throw targetRefusal(targetPath, `holds ${left}, which the placeholder would hide`);
  return false;
}

/** Unmounts layer by layer while the topmost mount is the volume's. Returns what is mounted there now. */
async function ensureNoMount(host: HostCalls, path: string, volumeId: string): Promise<Mount | undefined> {
  let top = topmostMount(await readMounts(), path);
  while (top !== undefined && isSource(top, volumeId)) {
    await unmount(host, path);
    top = topmostMount(await readMounts(), path);
  }
  return top;
}

async function unmount(host: HostCalls, path: string): Promise<void> {
  await host.unmount(path);
  failpoint('mount.removed');
}

function isSource(mount: Mount, volumeId: string): boolean {
  return mount.fsType === 'tmpfs' && mount.source === placeholderSource(volumeId);
}

/** Takes every byte of it. */
function fill(path: string, volumeId: string): void {
  try {
    const { blocks, bsize } = statfsSync(path);
    writeFileSync(`${path}/${PLACEHOLDER_FILE}`, placeholderText(volumeId, blocks * bsize), { mode: 0o444 });
  } catch (cause) {
    throw new Fault('io', `could not fill the placeholder at ${path}`, { fields: { path }, cause });
  }
  failpoint('placeholder.filled');
  const { bavail } = statfsSync(path);
  if (bavail !== 0) throw new Fault('internal', `the placeholder at ${path} still has ${bavail} free blocks`);
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { mode: 0o750 }).catch((cause: unknown) => {
    throw new Fault('io', `could not make the directory ${path}`, { fields: { path }, cause });
  });
  failpoint('target.made');
}

async function removeDirectory(path: string): Promise<void> {
  await rmdir(path).catch(absentOr(`could not remove the directory ${path}`));
}

/** Removes a directory that is empty and on which nothing is mounted (EBUSY); false if there is more to it. */
async function removeBare(path: string): Promise<boolean> {
  try {
    await rmdir(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return true;
    return false;
  }
  failpoint('target.removed');
  return true;
}

function describeMount({ fsType, source }: Mount): string {
  return `has something else mounted: ${fsType} from ${source}`;
}
