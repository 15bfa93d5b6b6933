import { Fault } from '../../proto/fault.ts';
import { type VolumeLease, volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { VolumeFacts } from '../plan/types.ts';
import { failpoint } from '../system/failpoint.ts';
import type { HeldLease, SandboxHost } from './host.ts';

/** Takes the lease of a volume. Fault `precondition` naming the owner if another VM has it. */
export function takeLease(host: SandboxHost, volume: VolumeFacts, owner: VolumeLease): HeldLease {
  const path = `${volume.attachment.volumeDirectory}/${VOLUME_FILES.lease}`;
  const lease = host.takeLease(path, volumeLeaseRecord.encode(owner));
  if ('fd' in lease) {
    failpoint('lease.taken');
    return lease;
  }
  const { volumeId } = volume.spec;
  const message =
    `volume ${volumeId} is in use by ${describeOwner(lease.heldBy, path)}, and one VM at a time can have it; ` +
    'end that pod first (a Deployment does with strategy: Recreate)';
  throw new Fault('precondition', message, { fields: { volumeId, hint: 'strategy: Recreate' } });
}

/** The text names whoever took the lock last: the holder, unless they have yet to write it. */
function describeOwner(text: string, path: string): string {
  try {
    const { podUid, sandboxId } = volumeLeaseRecord.decode(text, path);
    return `pod ${podUid} (sandbox ${sandboxId})`;
  } catch {
    return `another program, which has not put its name into ${path}`;
  }
}
