import { lstat, mkdir, realpath, rmdir, statfs, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Fault } from '../proto/fault.ts';
import { placeholderSource } from '../proto/volume-attachment.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { errorCode } from '../runtime/system/node/errno.ts';
import { ensureMount, ensureNoMount, type Mount, readMounts, topmostMount } from '../runtime/system/node/mounts.ts';
import type { Undo } from '../runtime/system/undo.ts';
import { ensureNoEmptyDirectories } from './empty-directories.ts';
import { placeholderText } from './placeholder-text.ts';

/**
 * What stands at a target path on the host: a tmpfs of one page, full. kubelet sees a mount and can make directories for
 * subPath; the runtime reads the volume's id from its source; a pod without a VM fails at the first byte it writes,
 * instead of writing beside the volume.
 */
export const PLACEHOLDER_FILE = 'THIS_VOLUME_NEEDS_A_BERTH_RUNTIMECLASS';
/** Inodes for the directories of deep subPaths: a path of 34 components was seen. */
const OPTIONS = ['size=1', 'nr_inodes=1024', 'mode=0555', 'nosuid', 'nodev', 'noexec'];

/** Undone by `undo` as far as this call made it; what was there before stays. */
export async function ensurePlaceholder(targetPath: string, volumeId: string, undo: Undo): Promise<void> {
  const target = await toCanonical(targetPath);
  if (target === undefined) throw refusal(targetPath, `cannot be made: ${dirname(targetPath)} is not there`);
  if (!target.exists) {
    undo.defer('target directory', () => removeDirectory(target.path));
    await makeDirectory(target.path);
  }

  const top = topmostMount(await readMounts(), target.path);
  if (top !== undefined && !isPlaceholder(top, volumeId)) throw refusal(targetPath, describeMount(top));
  if (top === undefined) {
    const left = await ensureNoEmptyDirectories(target.path, { keepRoot: true });
    if (left !== undefined) throw refusal(targetPath, `holds ${left}, which the placeholder would hide`);
    undo.defer('placeholder', async () => {
      await ensureNoMount(target.path, (mount) => isPlaceholder(mount, volumeId));
    });
    const source = placeholderSource(volumeId);
    await ensureMount({ source, target: target.path, fsType: 'tmpfs', options: OPTIONS });
  }
  await fill(target.path);
}

/** Unmounts every layer that is ours and removes the directory. Fault `precondition` if anything stays at the path. */
export async function ensureNoPlaceholder(targetPath: string, volumeId: string): Promise<void> {
  const target = await toCanonical(targetPath);
  if (target === undefined || !target.exists) return;
  const left = await ensureNoMount(target.path, (mount) => isPlaceholder(mount, volumeId));
  if (left !== undefined) throw refusal(targetPath, describeMount(left));
  const entry = await ensureNoEmptyDirectories(target.path, { keepRoot: false });
  if (entry !== undefined) throw refusal(targetPath, `holds ${entry}, which is not berth's to remove`);
}

/** The mount table has no symbolic links; the directory of kubelet may be one. The target itself must not. */
async function toCanonical(targetPath: string): Promise<{ path: string; exists: boolean } | undefined> {
  const parent = await realpath(dirname(targetPath)).catch(absentOr(`could not resolve ${dirname(targetPath)}`));
  if (parent === undefined) return undefined;
  const path = `${parent === '/' ? '' : parent}/${basename(targetPath)}`;
  const found = await lstat(path).catch(absentOr(`could not look at ${path}`));
  if (found !== undefined && !found.isDirectory()) throw refusal(targetPath, 'is not a directory');
  return { path, exists: found !== undefined };
}

function isPlaceholder(mount: Mount, volumeId: string): boolean {
  return mount.fsType === 'tmpfs' && mount.source === placeholderSource(volumeId);
}

/** Takes every byte of it. Also after a crash between mount and fill. */
async function fill(target: string): Promise<void> {
  const before = await statfs(target);
  if (before.bavail === 0) return;
  const sizeBytes = before.blocks * before.bsize;
  await writeFile(`${target}/${PLACEHOLDER_FILE}`, placeholderText(sizeBytes), { mode: 0o444 });
  failpoint('placeholder.filled');
  const { bavail } = await statfs(target);
  if (bavail !== 0) throw new Fault('internal', `the placeholder at ${target} still has ${bavail} free blocks`);
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

function describeMount({ fsType, source }: Mount): string {
  return `has something else mounted: ${fsType} from ${source}`;
}

function refusal(targetPath: string, problem: string): Fault {
  return new Fault('precondition', `target_path ${targetPath} ${problem}`, { fields: { targetPath } });
}

function absentOr(failure: string): (cause: unknown) => undefined {
  return (cause) => {
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw new Fault('io', failure, { cause });
  };
}
