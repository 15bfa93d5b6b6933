import { Fault } from '../../proto/fault.ts';
import type { PodPaths } from '../../proto/paths.ts';
import { type ProcessIdentity, sandboxRecord } from '../../proto/sandbox-record.ts';
import { forgive, isAbsence } from '../system/native/errors.ts';
import { isAlive } from '../system/native/process-identity.ts';
import { EAGAIN, LOCK, O, SIG, sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';

const MODE = 0o700;
/** The kernel has a killed VMM's memory to free, and may be waiting for its disk. */
const KILL_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 10;

export interface PodDirectory {
  /** Whose leftovers were removed, if there were any. */
  readonly deadShim: ProcessIdentity | undefined;
  /** Removes it and all that is in it, and gives it up. Idempotent. */
  release(): Promise<void>;
}

/**
 * Makes the pod's directory, or takes over that of a shim which died: its VMM is killed and what it left is removed. The
 * claim is a lock on the directory, which the kernel gives up with this process. Fault `exists` if another shim has it.
 */
export async function claimPodDirectory(system: System, paths: PodPaths): Promise<PodDirectory> {
  const { directory } = paths;
  const fd = await lockDirectory(system, directory);
  let isHeld = true;
  const close = (): void => {
    if (isHeld) sys.close(fd);
    isHeld = false;
  };
  let deadShim: ProcessIdentity | undefined;
  try {
    sys.chmod(directory, MODE);
    deadShim = await clearLeftovers(system, paths);
  } catch (error) {
    close();
    throw error;
  }
  return {
    deadShim,
    async release() {
      if (!isHeld) return;
      await removeContents(system, directory);
      await system.remove(directory);
      close();
    },
  };
}

async function lockDirectory(system: System, directory: string): Promise<number> {
  for (;;) {
    await system.makeDirectory(directory, MODE);
    const fd = openDirectory(directory);
    if (fd === undefined) continue;
    if (sys.flock(fd, LOCK.EX | LOCK.NB) === EAGAIN) {
      sys.close(fd);
      throw new Fault('exists', `${directory} belongs to a shim that runs; stop that pod, or choose another id`, {
        fields: { directory },
      });
    }
    // Its owner may have removed it, and another made it anew, before the lock was ours.
    if (sys.stat(directory)?.ino === sys.fstat(fd).ino) return fd;
    sys.close(fd);
  }
}

function openDirectory(directory: string): number | undefined {
  try {
    return sys.open(directory, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw new Fault('io', `could not open ${directory}`, { cause: error });
  }
}

/** A record that cannot be read is a refusal: it may name a VMM that runs. */
async function clearLeftovers(system: System, paths: PodPaths): Promise<ProcessIdentity | undefined> {
  const left = await recordFile(system, sandboxRecord, paths.record, { durable: false }).load();
  if (left?.vmm !== undefined) await killOrphan(system, left.vmm);
  await removeContents(system, paths.directory);
  return left?.shim;
}

async function killOrphan(system: System, vmm: ProcessIdentity): Promise<void> {
  if (!isAlive(vmm)) return;
  // It may end by itself meanwhile.
  forgive(['ESRCH'], undefined, () => sys.kill(vmm.pid, SIG.KILL));
  const deadlineMs = system.now() + KILL_WITHIN_MS;
  while (isAlive(vmm)) {
    if (system.now() > deadlineMs) {
      throw new Fault('busy', `the VMM ${vmm.pid} of this pod's former shim does not die; try again`, {
        fields: { pid: vmm.pid },
      });
    }
    await system.sleep(LOOK_AGAIN_MS);
  }
}

async function removeContents(system: System, directory: string): Promise<void> {
  for (const name of await system.list(directory)) await system.remove(`${directory}/${name}`);
}
