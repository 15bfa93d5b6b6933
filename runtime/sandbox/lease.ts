import { Fault } from '../../proto/fault.ts';
import { decodeLease, encodeLease, type VolumeLease, type WorkLease } from '../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { failpoint } from '../system/failpoint.ts';
import type { HeldLease, SandboxHost } from './host.ts';

export interface LeasedVolume {
  readonly volumeId: string;
  /** In its pool. */
  readonly directory: string;
  readonly readOnly: boolean;
}

/** csi takes the lock for an instant when it looks at it, which is no reason to refuse a pod. */
const PATIENCE_MS = 250;
const RETRY_MS = 25;

/**
 * Takes the lease of a volume: a VM that only reads shares it with others that do. Fault `precondition` naming the owner
 * if another VM has it.
 */
export async function takeLease(
  host: SandboxHost,
  volume: LeasedVolume,
  owner: VolumeLease | WorkLease,
): Promise<HeldLease> {
  const path = `${volume.directory}/${VOLUME_FILES.lease}`;
  const text = encodeLease(owner);
  const deadlineMs = host.system.now() + PATIENCE_MS;
  for (;;) {
    const lease = host.takeLease(path, text, volume.readOnly ? 'shared' : 'exclusive');
    if ('fd' in lease) {
      failpoint('lease.taken');
      return lease;
    }
    if (host.system.now() >= deadlineMs) throw heldFault(volume, lease.heldBy, path);
    await host.system.sleep(RETRY_MS);
  }
}

function heldFault({ volumeId, readOnly }: LeasedVolume, heldBy: string, path: string): Fault {
  const holder = readHolder(heldBy, path);
  if (holder !== undefined && 'purpose' in holder) {
    const message = `volume ${volumeId} is in use: ${holder.purpose}; try again when that is done`;
    return new Fault('precondition', message, { fields: { volumeId } });
  }
  const owner =
    holder === undefined
      ? `another program, which has not put its name into ${path}`
      : `pod ${holder.podUid} (sandbox ${holder.sandboxId})`;
  const rule = `one VM at a time can have it${readOnly ? ' unless all read only' : ''}`;
  const message =
    `volume ${volumeId} is in use by ${owner}, and ${rule}; ` +
    'end that pod first (a Deployment does with strategy: Recreate)';
  return new Fault('precondition', message, { fields: { volumeId, hint: 'strategy: Recreate' } });
}

/** The text names whoever took the lock last: the holder, unless they have yet to write it. */
function readHolder(text: string, path: string): ReturnType<typeof decodeLease> | undefined {
  try {
    return decodeLease(text, path);
  } catch {
    return undefined;
  }
}
