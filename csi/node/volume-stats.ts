import type { VolumeMode } from '../../proto/volume-attachment.ts';
import { toWireText } from '../wire-text.ts';
import type { NodeGetVolumeStatsResponse, VolumeUsageMessage } from './messages.ts';

/** Of the words of a guest, and of a failure, which a guest may have a part in. */
const MAX_MESSAGE_LENGTH = 2000;

/** What a guest said of a volume; the sizes of the file system are 0 for a raw disk. */
export interface Measurement {
  readonly atMs: number;
  readonly deviceBytes: number;
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

export interface KnownOfVolume {
  readonly volumeMode: VolumeMode;
  readonly measurement: Measurement;
  /** Empty: none is known. */
  readonly problem: string;
  /** Why the guest did not say it just now; empty if it did, or if there is none. */
  readonly silence: string;
  readonly nowMs: number;
}

/** Of a disk that no guest has had. */
export function blankMeasurement(capacityBytes: number, atMs: number): Measurement {
  const sizes = { deviceBytes: capacityBytes, capacityBytes, availableBytes: capacityBytes, usedBytes: 0 };
  return { atMs, ...sizes, inodes: 0, inodesFree: 0 };
}

export function toVolumeStats(known: KnownOfVolume): NodeGetVolumeStatsResponse {
  const { volumeMode, measurement, problem, silence } = known;
  const age = describeAge(known);
  const message = [problem, silence, age].filter((part) => part !== '').join('; ');
  return {
    usage: volumeMode === 'Block' ? [deviceUsage(measurement)] : filesystemUsage(measurement),
    volume_condition: {
      abnormal: problem !== '' || silence !== '',
      message: message === '' ? 'nothing is wrong with the volume' : toWireText(message, MAX_MESSAGE_LENGTH),
    },
  };
}

const deviceUsage = ({ deviceBytes }: Measurement): VolumeUsageMessage => ({
  unit: 'BYTES',
  total: String(deviceBytes),
});

function filesystemUsage(measurement: Measurement): VolumeUsageMessage[] {
  const { capacityBytes, availableBytes, usedBytes, inodes, inodesFree } = measurement;
  const usage = (unit: 'BYTES' | 'INODES', total: number, available: number, used: number): VolumeUsageMessage => ({
    ...{ unit, total: String(total), available: String(available), used: String(used) },
  });
  const bytes = usage('BYTES', capacityBytes, availableBytes, usedBytes);
  // btrfs has no number of inodes to run out of.
  return inodes === 0 ? [bytes] : [bytes, usage('INODES', inodes, inodesFree, Math.max(0, inodes - inodesFree))];
}

function describeAge({ measurement, nowMs }: KnownOfVolume): string {
  const seconds = Math.round((nowMs - measurement.atMs) / 1000);
  return seconds < 1 ? '' : `the sizes are those of ${seconds} s ago`;
}
