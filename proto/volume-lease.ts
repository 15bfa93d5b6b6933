import { parsePodUid, parseSandboxId } from './ids.ts';
import { count, defineRecord, id, text } from './record.ts';

/**
 * Text of a volume's `lease` file: who took the lock last. The flock(2) on the file is the truth; the text only names
 * the owner in a refusal, and is stale whenever the lock is free.
 */
export const volumeLeaseRecord = defineRecord('volume lease', 1, () => ({
  podUid: id(parsePodUid),
  sandboxId: id(parseSandboxId),
  node: text,
  takenAtMs: count,
}));
export type VolumeLease = ReturnType<typeof volumeLeaseRecord.decode>;
