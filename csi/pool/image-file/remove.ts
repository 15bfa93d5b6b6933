import { lstat } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import type { SnapshotId, VolumeId } from '../../../proto/ids.ts';
import { VOLUME_FILES } from '../../../proto/volume-spec.ts';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { errorCode } from '../../../runtime/system/node/errno.ts';
import type { HostLock } from '../../host-calls.ts';
import { discard, free } from './build.ts';
import { allDone } from './new-files.ts';
import { type Place, type PoolState, snapshotPlace, toPoolFault, volumePlace } from './state.ts';

/** Also one whose record cannot be read: its id names it, and its lease protects it. */
export async function removeVolume(pool: PoolState, volumeId: VolumeId, log: Log): Promise<boolean> {
  const target = volumePlace(pool, volumeId);
  const isKnown = pool.volumes.has(volumeId) || pool.unreadable.has(volumeId);
  try {
    if (!(await discardUnderLease(pool, target, volumeId, log))) {
      if (!isKnown) return false;
      await target.sync.sync(); // an earlier attempt could not promise that it is gone
    }
  } catch (cause) {
    throw toPoolFault(pool, cause, `delete volume ${volumeId}`, volumeId);
  }
  pool.volumes.delete(volumeId);
  await forget(pool, volumeId, log);
  return true;
}

/** No copy may read it: copies keep a list of what they read. */
export async function removeSnapshot(pool: PoolState, snapshotId: SnapshotId, log: Log): Promise<boolean> {
  const target = snapshotPlace(pool, snapshotId);
  const isKnown = pool.snapshots.has(snapshotId) || pool.unreadable.has(snapshotId);
  try {
    const discarded = await discard(pool.paths, target);
    if (discarded !== undefined) await free(discarded, log);
    else if (!isKnown) return false;
    else await target.sync.sync();
  } catch (cause) {
    throw toPoolFault(pool, cause, `delete snapshot ${snapshotId}`, snapshotId);
  }
  pool.snapshots.delete(snapshotId);
  await forget(pool, snapshotId, log);
  return true;
}

/** False if there is no such directory. */
async function discardUnderLease(pool: PoolState, target: Place, volumeId: VolumeId, log: Log): Promise<boolean> {
  let lock: HostLock | undefined;
  try {
    lock = await pool.leases.take(volumeId, 'it is being deleted');
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'not-found') throw cause;
    const directory = `${target.parent}/${volumeId}`;
    if (!(await exists(directory))) return false;
    // A VM may hold the lock of a file that has no name any more, and nobody would see it in a new one.
    const path = `${directory}/${VOLUME_FILES.lease}`;
    const message = `volume ${volumeId} has lost its lease; make sure that no VM has its disk open, and "touch ${path}"`;
    throw new Fault('precondition', message, { fields: { volumeId, path }, cause });
  }
  if (lock === undefined) throw await pool.leases.refusal(volumeId);
  failpoint('volume.lease-taken');
  let discarded: string | undefined;
  try {
    discarded = await discard(pool.paths, target);
  } catch (cause) {
    await lock.release();
    throw cause;
  }
  // What nobody can find any more needs no lease.
  await allDone([lock.release(), ...(discarded === undefined ? [] : [free(discarded, log)])]);
  return discarded !== undefined;
}

async function forget(pool: PoolState, id: string, log: Log): Promise<void> {
  pool.unreadable.delete(id);
  pool.budget.forget(id);
  await pool.reserve.fill(log);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return false;
    throw new Fault('io', `could not look at ${path}`, { fields: { path }, cause });
  }
}
