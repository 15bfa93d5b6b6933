import { Fault } from '../proto/fault.ts';
import { decodeLease, type VolumeLease } from '../proto/volume-lease.ts';
import { VOLUME_FILES } from '../proto/volume-spec.ts';
import { readWhole } from '../runtime/system/node/read-whole.ts';
import type { PodShim, PodShims } from './pod-shims.ts';
import { absentOr } from './target-path.ts';
import type { FoundVolume } from './volumes.ts';

/**
 * Asks the shim of the pod whose VM has the volume, as far as the words of the lease say, for which its lock need not be
 * touched: a look at a lock takes it for an instant, and a pod that starts at that instant is refused. Undefined when the
 * VM does not have it, or nobody answers for it.
 */
export async function askOwner<T>(
  { pool, spec: { volumeId } }: FoundVolume,
  shims: PodShims,
  body: (shim: PodShim) => Promise<T>,
): Promise<T | undefined> {
  const lease = await readLease(`${pool.directoryOf(volumeId)}/${VOLUME_FILES.lease}`);
  if (lease === undefined) return undefined;
  return shims.ask(lease.sandboxId, body).catch((error: unknown) => {
    if (error instanceof Fault && error.code === 'not-found') return undefined;
    throw error;
  });
}

/** Undefined when no pod has ever had it, or none had it last, or whoever takes it is writing just now. */
async function readLease(path: string): Promise<VolumeLease | undefined> {
  const found = await readWhole(path).catch(absentOr(`could not read ${path}`));
  if (found === undefined || found.length === 0) return undefined;
  const lease = decodeLease(found.toString(), path);
  return 'purpose' in lease ? undefined : lease;
}
