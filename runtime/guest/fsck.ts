import { Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import type { Completed } from '../system/port.ts';

/** `safe` repairs what cannot lose anything, `full` whatever it takes. */
export const REPAIRS = ['none', 'safe', 'full'] as const;
export type Repair = (typeof REPAIRS)[number];

/** How a file system that is not mounted is checked. */
export interface CheckPlan {
  /** XFS and btrfs repair what a crash leaves by mounting: their logs are replayed then. */
  readonly replaysLog: boolean;
  readonly command: readonly string[];
  /** Exit statuses, as bits, that leave a whole file system behind. */
  readonly wholeExits: number;
  /** Until it is whole: e2fsck stops when it has put another superblock in the place of the first. */
  readonly mostRuns: number;
}

/** e2fsck(8), EXIT STATUS: errors corrected; corrected, and a root file system would want a reboot. */
const CORRECTED = 1 | 2;
const WORDS_BYTES = 4000;

/** Fault `unsupported` for btrfs and `full`: its own repair may make matters worse, as its manual warns. */
export function planCheck(fsType: Filesystem, device: string, repair: Repair): CheckPlan {
  switch (fsType) {
    case 'ext4':
      return {
        replaysLog: false,
        command: ['e2fsck', '-f', { none: '-n', safe: '-p', full: '-y' }[repair], device],
        wholeExits: repair === 'none' ? 0 : CORRECTED,
        mostRuns: repair === 'full' ? 3 : 1,
      };
    case 'xfs':
      // Never -L, which drops a log that cannot be replayed: that is a person's decision.
      return {
        replaysLog: repair !== 'none',
        command: ['xfs_repair', ...(repair === 'full' ? [] : ['-n']), device],
        wholeExits: 0,
        mostRuns: 1,
      };
    case 'btrfs':
      if (repair === 'full') {
        throw new Fault(
          'unsupported',
          'berth does not repair btrfs; copy what can be read (berth volume export, or a pod that only reads)',
        );
      }
      return {
        replaysLog: repair !== 'none',
        command: ['btrfs', 'check', '--readonly', device],
        wholeExits: 0,
        mostRuns: 1,
      };
  }
}

/** What is run before a writable mount; undefined where the mount itself repairs what a crash leaves. */
export const preenCommand = (fsType: Filesystem, device: string): readonly string[] | undefined =>
  fsType === 'ext4' ? ['e2fsck', '-p', device] : undefined;

export const isWhole = ({ exitCode }: Completed, wholeExits = CORRECTED): boolean => (exitCode & ~wholeExits) === 0;

/** The last of what a checking program said, on either stream. */
export function wordsOf({ stdout, stderr }: Completed): string {
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim()).filter((text) => text !== '');
  return said.join('\n').slice(-WORDS_BYTES);
}
