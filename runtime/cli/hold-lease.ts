import { type FileHandle, open, stat } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { decodeLease, encodeLease } from '../../proto/volume-lease.ts';
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
 * Keeps every VM, and berth-csi, from the volume while `body` works on it, and tells them the purpose. The lock belongs to
 * the open file: a program that is given `lease.fd` holds it as well, should it outlive this one.
 */
export async function holdLease<T>(
  { volumeId, directory }: LeasedVolume,
  purpose: string,
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
    if (exitCode !== 0) throw heldFault(volumeId, describeOwner(await lease.readFile('utf8'), path));
    await requireReachable(lease, path);
    await writePurpose(lease, purpose);
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

/** In place, as the file is the lock; where there is no space for the words there are none. */
async function writePurpose(lease: FileHandle, purpose: string): Promise<void> {
  await lease.truncate(0);
  await lease.write(encodeLease({ purpose, takenAtMs: Date.now() }), 0).catch(() => undefined);
}

function heldFault(volumeId: string, owner: string): Fault {
  return new Fault('precondition', `volume ${volumeId} is in use${owner}`, { fields: { volumeId } });
}

/** Follows "in use". */
function describeOwner(text: string, path: string): string {
  try {
    const owner = decodeLease(text, path);
    return 'purpose' in owner
      ? `: ${owner.purpose}`
      : ` by pod ${owner.podUid} (sandbox ${owner.sandboxId}); end it first`;
  } catch {
    return ` by another program (lslocks shows who holds ${path})`;
  }
}
