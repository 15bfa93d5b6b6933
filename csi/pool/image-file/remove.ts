import { lstat, readFile, rename, rm } from 'node:fs/promises';
import { describeError, Fault } from '../../../proto/fault.ts';
import type { VolumeId } from '../../../proto/ids.ts';
import { volumeLeaseRecord } from '../../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../../proto/volume-spec.ts';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { errorCode } from '../../../runtime/system/node/errno.ts';
import { syncDirectory } from '../../../runtime/system/node/system.ts';
import type { HostCalls } from '../../host-calls.ts';
import { type ImageFilePaths, uniqueName } from './paths.ts';

/**
 * Takes the lease, renames the volume into `trash` and only then frees its blocks. Up to the rename nothing needs
 * space, so a full pool can be emptied; after it, a crash leaves only what the next start sweeps.
 */
export async function removeVolume(
  paths: ImageFilePaths,
  host: HostCalls,
  volumeId: VolumeId,
  log: Log,
): Promise<boolean> {
  const directory = `${paths.volumes}/${volumeId}`;
  if (!(await exists(directory))) return false;
  const discarded = `${paths.trash}/${uniqueName(volumeId)}`;
  const lock = await host.tryLock(`${directory}/${VOLUME_FILES.lease}`);
  if (lock === undefined) throw await describeHeldLease(directory, volumeId);
  failpoint('volume.lease-taken');
  try {
    await rename(directory, discarded);
    failpoint('volume.discarded');
    await syncDirectory(paths.volumes);
    await syncDirectory(paths.trash);
  } catch (cause) {
    throw new Fault('io', `could not move volume ${volumeId} to ${paths.trash}`, { fields: { volumeId }, cause });
  } finally {
    await lock.release();
  }
  await rm(discarded, { recursive: true }).catch((error: unknown) => {
    log.warn('the deleted volume still takes space; the next start tries again', { path: discarded, error });
  });
  failpoint('volume.freed');
  return true;
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

async function describeHeldLease(directory: string, volumeId: VolumeId): Promise<Fault> {
  const path = `${directory}/${VOLUME_FILES.lease}`;
  try {
    const { podUid, sandboxId, node } = volumeLeaseRecord.decode(await readFile(path, 'utf8'), path);
    const where = node === '' ? '' : ` on node ${node}`; // a pod without an orchestrator knows no node
    const message =
      `volume ${volumeId} is in use by the VM of pod ${podUid} (sandbox ${sandboxId})${where}; ` +
      `end that pod first ("berth stop ${sandboxId}")`;
    return new Fault('precondition', message, { fields: { volumeId, podUid, sandboxId, node } });
  } catch (error) {
    const message = `volume ${volumeId} is in use; its lease does not say by whom, but lslocks shows who holds ${path}`;
    return new Fault('precondition', message, { fields: { volumeId, lease: describeError(error) } });
  }
}
