import { Fault } from '../../proto/fault.ts';
import type { VolumeId } from '../../proto/ids.ts';
import type { LeaseState, Pool } from '../pool/port.ts';

/** Whom a volume is quiet with: this server, which holds its lease so that no VM gets it, or the VM that has it. */
export type Claim = { readonly kind: 'lease'; release(): Promise<void> } | Extract<LeaseState, { readonly kind: 'vm' }>;

/** Between a look at the lease and taking it, a pod may come or go: then it is looked at once more. */
const ATTEMPTS = 2;

/** Fault `busy`, with the words of the lease, while something else has the volume: such holders are soon done. */
export async function claimVolume(pool: Pool, volumeId: VolumeId): Promise<Claim> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const owner = await pool.ownerOf(volumeId);
    if (owner.kind === 'vm') return owner;
    if (owner.kind === 'other') {
      throw new Fault('busy', `volume ${volumeId} is in use: ${owner.words}`, { fields: { volumeId } });
    }
    const lease = await pool.lease(volumeId);
    if (lease !== undefined) return { kind: 'lease', release: () => lease.release() };
  }
  throw new Fault('busy', `volume ${volumeId} changes hands just now; try again`, { fields: { volumeId } });
}
