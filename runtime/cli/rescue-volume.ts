import { basename, dirname } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { recordFile } from '../system/record-file.ts';
import { restoreDisk, saveDisk } from './disk-copies.ts';
import { requireNoForeignUse } from './foreign-use.ts';
import type { VolumeView } from './list-volumes.ts';
import { type MaintenanceOptions, maintain } from './maintain-volume.ts';

export interface RescueOptions extends MaintenanceOptions {
  /** A log that cannot be replayed is dropped, and what was written last with it. */
  readonly zeroLog: boolean;
  /** Whether the disk is copied before. */
  readonly makesCopy: boolean;
}

/** Repairs whatever it takes, in a VM, after a copy of the disk; says what was done, and how to go back. */
export async function rescueVolume(volume: VolumeView, rescue: RescueOptions): Promise<number> {
  const { zeroLog, makesCopy, ...options } = rescue;
  requireNoForeignUse(volume);
  requireRescuable(volume, zeroLog);
  const saved = makesCopy ? await saveDisk(volume) : undefined;
  // At once: whatever becomes of the repair, there is a way back.
  if (saved !== undefined) process.stdout.write(describeCopy(volume, saved.path));
  const task = {
    task: 'check',
    repair: zeroLog ? 'zero-log' : 'full',
    unchangedSince: saved?.unchangedSince ?? '',
  } as const;
  const { isClean, words } = await maintain(volume, task, options);
  process.stdout.write(`${words}\n`);
  const name = `the ${volume.spec?.fsType} of volume ${volume.volumeId}`;
  if (isClean) process.stdout.write(`rescued: ${name} is whole\n`);
  else process.stderr.write(`berth: ${name} still has errors; ${adviceAfter(volume, zeroLog)}\n`);
  return isClean ? 0 : 1;
}

/** The disk as it was when the copy was made, in place of what it is. */
export async function goBackTo(volume: VolumeView, name: string): Promise<number> {
  requireNoForeignUse(volume);
  const setAside = await restoreDisk(volume, name, () => noteProblem(volume, name));
  process.stdout.write(`the disk is ${name} again; what it was until now is ${setAside}\n`);
  return 0;
}

function requireRescuable({ volumeId, spec, filesystem }: VolumeView, zeroLog: boolean): void {
  if (filesystem?.state !== 'formatted' && filesystem?.state !== 'raw') {
    throw new Fault(
      'precondition',
      `volume ${volumeId} has no file system yet: the first pod that mounts it makes one`,
    );
  }
  if (zeroLog && spec?.fsType === 'ext4') {
    throw new Fault(
      'invalid',
      '--zero-log is for xfs and btrfs: the repair of ext4 drops a journal that does not replay',
    );
  }
}

function describeCopy({ volumeId, directory }: VolumeView, path: string): string {
  const pool = `${volumeId.split('.')[0]}=image-file:${dirname(dirname(directory))}`;
  const back = `berth volume rescue ${volumeId} --back-to ${basename(path)} --pool ${pool}`;
  return `copied the disk to ${path}\nto go back: ${back}\n`;
}

function adviceAfter({ spec }: VolumeView, zeroLog: boolean): string {
  const saveWhatCanBe = 'what can be saved is in its export (berth volume export)';
  switch (spec?.fsType) {
    case 'btrfs':
      return `berth does not run "btrfs check --repair", which may make it worse: ${saveWhatCanBe}, for btrfs restore`;
    case 'xfs':
      return zeroLog
        ? saveWhatCanBe
        : `if the log is what cannot be replayed, --zero-log drops it; else ${saveWhatCanBe}`;
    default:
      return saveWhatCanBe;
  }
}

/** Until a pod has mounted it, or a check has found it well. */
async function noteProblem({ directory }: VolumeView, name: string): Promise<void> {
  const path = `${directory}/${VOLUME_FILES.filesystem}`;
  const record = recordFile(createNodeSystem(), volumeFilesystemRecord, path, { durable: true });
  const found = await record.load();
  const problem = `its disk was put back to ${name}, which was made before a rescue; berth volume fsck says how it is`;
  if (found !== undefined) await record.save({ ...found, problem });
}
