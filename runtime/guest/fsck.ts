import { Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import type { Completed } from '../system/port.ts';

/**
 * `safe` repairs what cannot lose anything, `full` whatever it takes, and `zero-log` also drops a log that cannot be
 * replayed, and with it what was written last: a person's decision.
 */
export const REPAIRS = ['none', 'safe', 'full', 'zero-log'] as const;
export type Repair = (typeof REPAIRS)[number];

/** A program that checks or repairs a file system that is not mounted. */
export interface CheckStep {
  readonly command: readonly string[];
  /** Exit statuses that leave a whole file system behind, as far as this program can tell. */
  readonly wholeExits: readonly number[];
  /** Until it is whole: e2fsck stops when it has put another superblock in the place of the first. */
  readonly mostRuns: number;
}

/** `replay`: mounted and unmounted, by which XFS and btrfs mend what a crash leaves. */
export type Step = 'replay' | CheckStep;

/** e2fsck(8), EXIT STATUS: errors corrected; corrected, and a root file system would want a reboot. */
const CORRECTED = [0, 1, 2, 3];
/** btrfs-rescue(8), super-recover: nothing to recover; recovered. */
const RECOVERED = [0, 2];
const WORDS_BYTES = 4000;

/** In this order, to the first that does not leave a whole file system. Where something is repaired, a check comes last. */
export function planCheck(fsType: Filesystem, device: string, repair: Repair): readonly Step[] {
  const step = (command: string, wholeExits = [0], mostRuns = 1): CheckStep => ({
    command: [...command.split(' '), device],
    wholeExits,
    mostRuns,
  });
  const plan = planAll(step)[fsType][repair];
  if (plan !== undefined) return plan;
  throw new Fault(
    'invalid',
    `there is no log of ${fsType} to be zeroed: its repair drops a journal that does not replay`,
  );
}

type ToStep = (command: string, wholeExits?: number[], mostRuns?: number) => CheckStep;

function planAll(step: ToStep): Record<Filesystem, Record<Repair, readonly Step[] | undefined>> {
  const xfs = step('xfs_repair -n');
  // Never `check --repair`: it may make matters worse, as its manual warns.
  const btrfs = step('btrfs check --readonly');
  const superblocks = step('btrfs rescue super-recover -y', RECOVERED);
  return {
    ext4: {
      none: [step('e2fsck -f -n')],
      safe: [step('e2fsck -f -p', CORRECTED)],
      full: [step('e2fsck -f -y', CORRECTED, 3), step('e2fsck -f -n')],
      'zero-log': undefined,
    },
    xfs: {
      none: [xfs],
      safe: ['replay', xfs],
      full: ['replay', step('xfs_repair'), xfs],
      'zero-log': ['replay', step('xfs_repair -L'), xfs],
    },
    btrfs: {
      none: [btrfs],
      safe: ['replay', btrfs],
      full: [superblocks, 'replay', btrfs],
      'zero-log': [superblocks, step('btrfs rescue zero-log'), 'replay', btrfs],
    },
  };
}

/** What is run before a writable mount; undefined where the mount itself repairs what a crash leaves. */
export const preenCommand = (fsType: Filesystem, device: string): readonly string[] | undefined =>
  fsType === 'ext4' ? ['e2fsck', '-p', device] : undefined;

export const isWhole = ({ exitCode }: Completed, wholeExits: readonly number[] = CORRECTED): boolean =>
  wholeExits.includes(exitCode);

/** The last of what a checking program said, on either stream. */
export function wordsOf({ stdout, stderr }: Completed): string {
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim()).filter((text) => text !== '');
  return said.join('\n').slice(-WORDS_BYTES);
}
