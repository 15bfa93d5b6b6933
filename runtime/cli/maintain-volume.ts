import { randomBytes } from 'node:crypto';
import type { AcceleratorWish } from '../../proto/accelerator.ts';
import type { MaintainedVolume } from '../../proto/shim.ts';
import { silentLog } from '../system/log.ts';
import { withUndo } from '../system/undo.ts';
import { requireNoForeignUse } from './foreign-use.ts';
import { formatSize } from './format-volumes.ts';
import { Interruption } from './interruption.ts';
import type { VolumeView } from './list-volumes.ts';
import { findPrograms } from './programs.ts';
import { ensureNoDeadPod, openShim, startShim, stopPod } from './shim-client.ts';

export interface MaintenanceOptions {
  readonly runDirectory: string;
  readonly memoryMib: number;
  readonly accelerator: AcceleratorWish;
  readonly bootTimeoutMs: number;
  /** Undefined: the one of the build. */
  readonly guestDirectory: string | undefined;
  /** Empty: the first of the PATH. */
  readonly qemu: string;
}

const STOP_TIMEOUT_MS = 6_000;

export async function fsckVolume(volume: VolumeView, repair: string, options: MaintenanceOptions): Promise<number> {
  const { isClean, words } = await maintain(volume, { task: 'check', repair, unchangedSince: '' }, options);
  process.stdout.write(words === '' ? '' : `${words}\n`);
  if (!isClean)
    process.stderr.write(`berth: volume ${volume.volumeId} has errors; berth volume rescue mends whatever it takes\n`);
  return isClean ? 0 : 1;
}

export async function trimVolume(volume: VolumeView, options: MaintenanceOptions): Promise<number> {
  const [podId] = volume.usedBy;
  const { trimmedBytes } =
    podId === undefined
      ? await maintain(volume, { task: 'trim', repair: '', unchangedSince: '' }, options)
      : await trimInPod(volume, podId, options);
  process.stdout.write(`trimmed ${formatSize(trimmedBytes)}\n`);
  return 0;
}

async function trimInPod({ volumeId }: VolumeView, id: string, { runDirectory }: MaintenanceOptions) {
  const shim = await openShim({ program: findPrograms().shim, id, bundle: '/', runDirectory });
  try {
    return await shim.call('trimVolume', { volumeId });
  } finally {
    shim.close();
  }
}

interface Task {
  readonly task: 'check' | 'trim';
  readonly repair: string;
  /** As in proto/shim.ts. */
  readonly unchangedSince: string;
}

/** In a VM of its own, with the volume's lease. Whatever interrupts it, nothing of the VM is left. */
export async function maintain(volume: VolumeView, task: Task, options: MaintenanceOptions): Promise<MaintainedVolume> {
  requireNoForeignUse(volume);
  const programs = findPrograms();
  const id = `${task.task}-${randomBytes(4).toString('hex')}`;
  const command = { program: programs.shim, id, bundle: '/', runDirectory: options.runDirectory };
  const interruption = new Interruption();
  try {
    return await withUndo(silentLog, async (undo) => {
      undo.defer('VM', () => ensureNoDeadPod(command));
      const shim = await startShim(command);
      undo.defer('shim', () => stopPod(shim, STOP_TIMEOUT_MS));
      interruption.endsPod(() => stopPod(shim, 0));
      const guestDirectory = options.guestDirectory ?? programs.guestDirectory;
      const done = await shim.call('maintain', {
        ...options,
        ...task,
        volumeDirectory: volume.directory,
        guestDirectory,
      });
      await shim.closed;
      for (const notice of done.notices) process.stderr.write(`berth: ${notice}\n`);
      return done;
    });
  } finally {
    interruption.dispose();
  }
}
