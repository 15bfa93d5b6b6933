import { parsePodUid, parseSandboxId } from './ids.ts';
import { count, defineRecord, filled, id, text } from './record.ts';

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

/** The text while csi has the lock for longer than a moment: for what, in words that follow "volume x is in use:". */
export const driverLeaseRecord = defineRecord('volume lease of the driver', 1, () => ({
  purpose: filled,
  takenAtMs: count,
}));
type DriverLease = ReturnType<typeof driverLeaseRecord.decode>;

/** Who took the lock last. Throws as a codec does. */
export function decodeLease(words: string, source: string): VolumeLease | DriverLease {
  try {
    return volumeLeaseRecord.decode(words, source);
  } catch (error) {
    try {
      return driverLeaseRecord.decode(words, source);
    } catch {
      throw error;
    }
  }
}
