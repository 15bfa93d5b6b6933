import type { AgentStorage } from '../../proto/agent.ts';
import { asFault, Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import type { Log } from '../system/log.ts';
import { attempt, isErrno } from '../system/native/errors.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { parseFilesystemBytes, SUPERBLOCK_BYTES } from '../system/superblock.ts';
import type { Undo } from '../system/undo.ts';
import { diskBytes, readStart } from './disk.ts';
import { ensureUnmounted } from './files.ts';
import { isWhole, preenCommand, wordsOf } from './fsck.ts';
import { growCommand } from './growth.ts';
import { toMountRequest } from './mount-flags.ts';
import { needsHandOver, type Ownership } from './ownership.ts';
import { requireTool, runTool } from './tool.ts';

/** Grow with the disk: the host's own deadline is the one that counts. */
const PREEN_TIMEOUT_MS = 280_000;
const GROW_TIMEOUT_MS = 280_000;
/** A sentence's share of what a checking program said. */
const FOUND_LENGTH = 500;

export interface MountContext {
  readonly system: System;
  readonly log: Log;
  /** Makes everything below a path the group's, in another process: there may be very much of it. */
  readonly giveToGroup: (path: string, gid: number) => Promise<void>;
}

export interface MountTask extends AgentStorage {
  readonly fsType: Filesystem;
  readonly device: string;
  /** This agent made the file system a moment ago. */
  readonly isNew: boolean;
}

/**
 * Mounts the file system of a disk. To be written, it is checked before, grown to its disk, and handed to its group;
 * to be read, it is left as it is.
 */
export async function mountVolume(context: MountContext, task: MountTask, undo: Undo): Promise<void> {
  const { serial, fsType, device, mountPoint, readOnly } = task;
  if (!readOnly && !task.isNew) await preen(context.system, task);
  const filesystemBytes = parseFilesystemBytes(fsType, readStart(device, SUPERBLOCK_BYTES));
  if (filesystemBytes === undefined) throw damageFault(task, `there is no superblock of ${fsType} on it`);
  ensureDirectory(mountPoint, 0o755);
  undo.defer(`mount of ${serial}`, () => ensureUnmounted(mountPoint));
  mount(task);
  if (readOnly) return;
  if (filesystemBytes < diskBytes(device)) await grow(context.system, task);
  if (task.ownership !== undefined) await ensureOwnership(context, task, task.ownership);
}

export async function grow(
  system: System,
  { fsType, device, mountPoint }: Pick<MountTask, 'fsType' | 'device' | 'mountPoint'>,
): Promise<void> {
  await requireTool(system, growCommand(fsType, device, mountPoint), GROW_TIMEOUT_MS);
}

/** Repairs what is safe to repair. */
async function preen(system: System, task: MountTask): Promise<void> {
  const command = preenCommand(task.fsType, task.device);
  if (command === undefined) return;
  const completed = await runTool(system, command, PREEN_TIMEOUT_MS);
  if (!isWhole(completed)) throw damageFault(task, wordsOf(completed));
}

function mount(task: MountTask): void {
  const { serial, fsType, device, mountPoint, options, readOnly } = task;
  const { flags, data } = toMountRequest([...options, ...ownOptions(fsType)], readOnly);
  try {
    sys.mount(device, mountPoint, fsType, flags, data === '' ? null : data);
  } catch (error) {
    if (isErrno(error, 'EUCLEAN', 'EBADMSG')) throw damageFault(task, 'it does not mount', error);
    if (readOnly && isErrno(error, 'EROFS')) throw unreplayedFault(task, error);
    const message = `the ${fsType} of disk ${serial} does not mount at ${mountPoint}; the guest's console says why`;
    throw asFault(error, 'io', message, { serial, device, options: options.join(',') });
  }
}

/**
 * Disks are told apart by serial: a volume and its clone have one UUID, and may well be in one pod. XFS mounts the second
 * only if it is told to; btrfs gives it an id of its own, until it is unmounted (temp_fsid, Linux 6.7).
 */
export const ownOptions = (fsType: Filesystem): readonly string[] => (fsType === 'xfs' ? ['nouuid'] : []);

/** A person must decide: nothing was changed that the check did not find safe. */
function damageFault({ serial, fsType, device }: MountTask, found: string, cause?: unknown): Fault {
  const words = found.replaceAll(/\s+/g, ' ').slice(-FOUND_LENGTH);
  const message = `the ${fsType} of disk ${serial} is damaged beyond what is safe to repair: ${words}`;
  return new Fault(
    'precondition',
    `${message}; it was not mounted: look at it with berth volume fsck, mend it with berth volume rescue`,
    {
      fields: { serial, device, fsType },
      cause,
    },
  );
}

function unreplayedFault({ serial, fsType }: MountTask, cause: unknown): Fault {
  const message = `the ${fsType} of disk ${serial} was not unmounted in order, and its log cannot be replayed read-only`;
  return new Fault('precondition', `${message}; mount it writable once, in any pod`, { fields: { serial }, cause });
}

async function ensureOwnership(
  { log, giveToGroup }: MountContext,
  { serial, mountPoint }: MountTask,
  ownership: Ownership,
): Promise<void> {
  const root = attempt(`could not look at the root of disk ${serial}`, () => sys.stat(mountPoint));
  if (root === null || !needsHandOver(root, ownership)) return;
  await giveToGroup(mountPoint, ownership.gid);
  log.info('volume handed to its group', { serial, gid: ownership.gid });
}
