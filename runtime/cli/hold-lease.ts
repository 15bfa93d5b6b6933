import { type FileHandle, open, stat } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { run } from '../system/node/exec.ts';

export interface LeasedVolume {
  readonly volumeId: string;
  /** In its pool. */
  readonly directory: string;
}

/** berth-csi and others take the lock for an instant when they look at it. */
const PATIENCE_S = '0.25';

/**
 * Keeps every VM, and berth-csi, from the volume while `body` works on it. The lock belongs to the open file: a program
 * that is given `lease.fd` holds it as well, should it outlive this one.
 */
export async function holdLease<T>(
  { volumeId, directory }: LeasedVolume,
  body: (lease: FileHandle) => Promise<T>,
): Promise<T> {
  const path = `${directory}/${VOLUME_FILES.lease}`;
  const lease = await open(path, 'r+').catch((cause: unknown) => {
    const message = `there is no ${path}; is --pool the directory that berth-csi was given?`;
    throw new Fault('not-found', message, { fields: { volumeId }, cause });
  });
  try {
    // Node has no flock(2): util-linux takes it on the descriptor that it inherits.
    const args = ['--exclusive', '--wait', PATIENCE_S, '3'];
    const { exitCode } = await run({ file: 'flock', args, descriptors: [lease.fd] });
    if (exitCode !== 0) throw heldFault(volumeId, path, await lease.readFile('utf8'));
    await requireReachable(lease, path);
    // No VM has it: the name of one that had would be believed.
    await lease.truncate(0);
    return await body(lease);
  } finally {
    await lease.close();
  }
}

/** Between open and lock the volume may have been deleted: the lock of a file that nobody can reach protects nothing. */
async function requireReachable(lease: FileHandle, path: string): Promise<void> {
  const [locked, found] = [await lease.stat(), await stat(path).catch(() => undefined)];
  if (found?.dev === locked.dev && found.ino === locked.ino) return;
  throw new Fault('not-found', `the volume of ${path} was deleted`, { fields: { path } });
}

function heldFault(volumeId: string, path: string, text: string): Fault {
  return new Fault(
    'precondition',
    `volume ${volumeId} is in use by ${describeOwner(text, path)}; wait for its end, or end it`,
    {
      fields: { volumeId },
    },
  );
}

function describeOwner(text: string, path: string): string {
  try {
    const { podUid, sandboxId } = volumeLeaseRecord.decode(text, 'lease');
    return `pod ${podUid} (sandbox ${sandboxId})`;
  } catch {
    return `another program (lslocks shows who holds ${path})`;
  }
}
