import type { Log } from '../../runtime/system/log.ts';
import type { PoolSource } from '../pool/port.ts';
import { describeForeignUse, requireNoForeignUse } from '../snapshots/foreign-use.ts';
import { GuestFreeze } from '../snapshots/guest-freeze.ts';
import type { FoundVolume } from '../volumes.ts';
import type { ControllerContext } from './context.ts';

/**
 * Makes a volume, blank or as a copy. A volume that a VM has is copied while its guest is frozen, as its snapshot would
 * be; where that cannot be, the copy is as after a power cut, and the log says so. A pool that cannot copy a volume in use
 * refuses by itself.
 */
export async function createFrom(
  source: PoolSource | undefined,
  { pool, spec }: FoundVolume,
  { volumes, attachments, shims }: ControllerContext,
  log: Log,
): Promise<void> {
  const original = source?.kind === 'volume' ? volumes.require(source.volumeId) : undefined;
  const foreignUse = original && (await describeForeignUse(original, attachments));
  if (original !== undefined && foreignUse !== undefined) {
    if (pool.features.snapshots !== 'instant') requireNoForeignUse(foreignUse, original);
    log.warn('the copy is as after a power cut', { remark: foreignUse });
  }
  const owner = source?.kind === 'volume' ? await pool.ownerOf(source.volumeId) : undefined;
  if (source?.kind !== 'volume' || owner?.kind !== 'vm' || pool.features.snapshots !== 'instant') {
    await pool.create(spec, source, log);
    return;
  }
  const freeze = new GuestFreeze(shims, owner.sandboxId, [source.volumeId], log);
  try {
    await freeze.begin();
    await pool.create(spec, source, log);
  } finally {
    await freeze.thaw();
  }
  const { consistency, remark } = freeze.trustOf(source.volumeId);
  if (consistency === 'crash') log.warn('the copy is as after a power cut', { remark });
}
