import { describeError, Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import { isErrno } from '../system/native/errors.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { ensureNoDirectory, ensureUnmounted } from './files.ts';
import { isWhole, planCheck, REPAIRS, type Repair, wordsOf } from './fsck.ts';
import { ownOptions } from './mount-volume.ts';
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
  /** What the checking program said last. */
  readonly words: string;
}

/** However long it takes: a person waits for it. */
export async function checkFilesystem(system: System, { fsType, device, repair }: CheckTask): Promise<CheckResult> {
  const { replaysLog, command, wholeExits, mostRuns } = planCheck(fsType, device, parseRepair(repair));
  const words = replaysLog ? replayLog(fsType, device) : [];
  for (let runs = 1; ; runs += 1) {
    const completed = await runTool(system, command);
    words.push(wordsOf(completed));
    const isClean = isWhole(completed, wholeExits);
    if (isClean || runs === mostRuns) return { isClean, words: words.join('\n') };
  }
}

/** By mounting and unmounting; what it could not do is for the check to tell, after these words. */
function replayLog(fsType: Filesystem, device: string): string[] {
  ensureDirectory(REPLAY_POINT, 0o700);
  try {
    sys.mount(device, REPLAY_POINT, fsType, 0, ownOptions(fsType).join(',') || null);
    return [];
  } catch (error) {
    if (!isErrno(error, 'EUCLEAN', 'EBADMSG', 'EINVAL', 'EIO')) throw error;
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
