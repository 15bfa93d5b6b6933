import type { Log } from '../../runtime/system/log.ts';
import { Undo } from '../../runtime/system/undo.ts';
import type { PoolSource } from '../pool/port.ts';
import { describeForeignUse, requireNoForeignUse } from '../snapshots/foreign-use.ts';
import { holdOf, holdStill } from '../snapshots/hold-still.ts';
import type { FoundVolume } from '../volumes.ts';
import type { ControllerContext } from './context.ts';

/**
 * Makes a volume, blank or as a copy. A volume is held still while it is copied, as for a snapshot of it, and not longer
 * than it takes; where it cannot be, the copy is as after a power cut, and the log says so. A pool that copies byte by
 * byte holds the volume itself, and refuses one in use.
 */
export async function createFrom(
  source: PoolSource | undefined,
  { pool, spec }: FoundVolume,
  { volumes, attachments, shims }: ControllerContext,
  log: Log,
): Promise<void> {
  if (source?.kind !== 'volume') return pool.create(spec, source, log);
  const original = volumes.require(source.volumeId);
  const foreignUse = await describeForeignUse(original, attachments);
  if (!pool.canShare(spec)) {
    requireNoForeignUse(foreignUse, original);
    return pool.create(spec, source, log);
  }
  const { volumeId } = source;
  const still = new Undo(log);
  try {
    const hold = holdOf(await holdStill([{ pool, volumeId, foreignUse }], shims, still, log), volumeId);
    await pool.create(spec, source, log, () => hold.end());
    const { consistency, remark } = hold.trust();
    if (consistency === 'crash') log.warn('the copy is as after a power cut', { remark });
  } finally {
    await still.unwind();
  }
}
