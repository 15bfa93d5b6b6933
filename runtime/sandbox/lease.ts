import { Fault } from '../../proto/fault.ts';
import { type VolumeLease, volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { failpoint } from '../system/failpoint.ts';
import type { HeldLease, SandboxHost } from './host.ts';

export interface LeasedVolume {
  readonly volumeId: string;
  /** In its pool. */
  readonly directory: string;
  readonly readOnly: boolean;
}

/** Takes the lease of a volume: a VM that only reads shares it with others that do. Fault `precondition` naming the owner if another VM has it. */
export function takeLease(host: SandboxHost, volume: LeasedVolume, owner: VolumeLease): HeldLease {
  const { volumeId, directory, readOnly } = volume;
  const path = `${directory}/${VOLUME_FILES.lease}`;
  const lease = host.takeLease(path, volumeLeaseRecord.encode(owner), readOnly ? 'shared' : 'exclusive');
  if ('fd' in lease) {
    failpoint('lease.taken');
    return lease;
  }
  const message =
    `volume ${volumeId} is in use by ${describeOwner(lease.heldBy, path)}, and one VM at a time can have it${readOnly ? ' unless all read only' : ''}; ` +
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
