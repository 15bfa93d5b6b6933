import { describeError, Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { ensureNoDirectory, ensureUnmounted } from './files.ts';
import { type CheckStep, isWhole, planCheck, REPAIRS, type Repair, wordsOf } from './fsck.ts';
import { ownOptions } from './mount-volume.ts';
import { blkidCommand, isOfKind, parseSignature } from './signature.ts';
import { runTool } from './tool.ts';

const REPLAY_POINT = '/run/berth/replay';

export interface CheckTask {
  readonly fsType: Filesystem;
  readonly device: string;
  /** One of REPAIRS. */
  readonly repair: string;
}

export interface CheckResult {
  readonly isClean: boolean;
  /** What the checking programs said, each after its command and before its exit status. */
  readonly words: string;
}

/** However long it takes: a person waits for it. */
export async function checkFilesystem(system: System, { fsType, device, repair }: CheckTask): Promise<CheckResult> {
  const plan = planCheck(fsType, device, parseRepair(repair));
  if (repair !== 'none') await requireKind(system, device, fsType);
  const words: string[] = [];
  for (const step of plan) {
    if (step === 'replay') words.push(...replayLog(fsType, device));
    else if (!(await take(system, step, words))) return { isClean: false, words: words.join('\n') };
  }
  return { isClean: true, words: words.join('\n') };
}

/**
 * A raw disk may hold anything, whatever its volume was made for, and a repair that finds an old superblock deep in it
 * would put that in the place of everything. No signature at all is what a damaged superblock leaves.
 */
async function requireKind(system: System, device: string, fsType: Filesystem): Promise<void> {
  const found = parseSignature(device, await runTool(system, blkidCommand(device)));
  if (found === undefined || isOfKind(found, fsType)) return;
  const message = `the disk carries ${found}, and not the ${fsType} that its volume was made for; nothing was repaired`;
  throw new Fault('precondition', message, { fields: { device, fsType } });
}

/** Whether it left a whole file system, and what it said. */
async function take(system: System, { command, wholeExits, mostRuns }: CheckStep, words: string[]): Promise<boolean> {
  for (let runs = 1; ; runs += 1) {
    const completed = await runTool(system, command);
    words.push(command.join(' '), wordsOf(completed), `(exit status ${completed.exitCode})`);
    if (isWhole(completed, wholeExits)) return true;
    if (runs === mostRuns) return false;
  }
}

/** By mounting and unmounting; what it could not do is for the check to tell, after these words. */
function replayLog(fsType: Filesystem, device: string): string[] {
  ensureDirectory(REPLAY_POINT, 0o700);
  try {
    sys.mount(device, REPLAY_POINT, fsType, 0, ownOptions(fsType).join(',') || null);
    return [];
  } catch (error) {
    return [`its log could not be replayed by mounting it: ${describeError(error)}`];
  } finally {
    ensureUnmounted(REPLAY_POINT);
    ensureNoDirectory(REPLAY_POINT);
  }
}

function parseRepair(word: string): Repair {
  const known = REPAIRS.find((repair) => repair === word);
  if (known !== undefined) return known;
  throw new Fault('invalid', `the repair ${JSON.stringify(word)} is none of ${REPAIRS.join(', ')}`);
}
