import { parsePodUid, parseSandboxId } from './ids.ts';
import { count, defineRecord, filled, id, text } from './record.ts';

/**
 * Text of a volume's `lease` file: who took the lock last. The flock(2) on the file is the truth; the text only names
 * the owner in a refusal, and is stale whenever the lock is free.
 */
export const volumeLeaseRecord = defineRecord('volume lease', 1, {
  podUid: id(parsePodUid),
  sandboxId: id(parseSandboxId),
  node: text,
  takenAtMs: count,
});
export type VolumeLease = ReturnType<typeof volumeLeaseRecord.decode>;

/**
 * The text while something that is no pod has the lock for longer than a moment, csi or `berth volume`: what it does, in
 * words that follow "volume x is in use:".
 */
export const workLeaseRecord = defineRecord('volume lease for work on it', 1, {
  purpose: filled,
  takenAtMs: count,
});
export type WorkLease = ReturnType<typeof workLeaseRecord.decode>;

export const encodeLease = (lease: VolumeLease | WorkLease): string =>
  'purpose' in lease ? workLeaseRecord.encode(lease) : volumeLeaseRecord.encode(lease);

/** Who took the lock last. Throws as a codec does. */
export function decodeLease(words: string, source: string): VolumeLease | WorkLease {
  try {
    return volumeLeaseRecord.decode(words, source);
  } catch (error) {
    try {
      return workLeaseRecord.decode(words, source);
    } catch {
      throw error;
    }
  }
}
