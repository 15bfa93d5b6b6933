import { Fault } from '../../proto/fault.ts';
import type { PodPaths } from '../../proto/paths.ts';
import { type Sandbox, sandboxRecord } from '../../proto/sandbox-record.ts';
import { isAbsence } from '../system/native/errors.ts';
import { killProcess } from '../system/native/kill-process.ts';
import { EAGAIN, LOCK, O, sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';
import { findVmms } from './find-vmms.ts';

const MODE = 0o700;
/** A shim that was killed may still be ending, or a child of it be on the way to its own program. */
const FREE_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 10;
/** Within it a dying shim's socket turns away whom it let in. */
const DIES_WITHIN_MS = 500;

export interface PodDirectory {
  /** What a shim that was killed recorded, if there was one. */
  readonly former: Sandbox | undefined;
  /** Ends the VMM of that shim and removes what is left of both, but for the log, which we write on. */
  clear(): Promise<void>;
  /** Gives the directory up as it was found: with what a killed shim left, unless that is cleared. */
  abandon(): Promise<void>;
  /** Removes it and all that is in it, and gives it up. Idempotent. */
  release(): Promise<void>;
}

/**
 * Makes the pod's directory, or claims that of a shim which died, with what it left. The claim is a lock on the
 * directory, which the kernel gives up with this process. Fault `exists` if another shim has it. A record that cannot be
 * read is a refusal: it may name a VMM that runs.
 */
export async function claimPodDirectory(system: System, paths: PodPaths): Promise<PodDirectory> {
  const { directory } = paths;
  const fd = await lockDirectory(system, paths);
  let isHeld = true;
  const close = (): void => {
    if (isHeld) sys.close(fd);
    isHeld = false;
  };
  let former: Sandbox | undefined;
  try {
    sys.chmod(directory, MODE);
    former = await recordFile(system, sandboxRecord, paths.record, { durable: false }).load();
  } catch (error) {
    close();
    throw error;
  }
  let isOurs = false;
  const release = async (): Promise<void> => {
    if (!isHeld) return;
    await removeContents(system, directory);
    await system.remove(directory);
    close();
  };
  return {
    former,
    async clear() {
      const recorded = former?.vmm === undefined ? [] : [former.vmm];
      for (const vmm of [...recorded, ...findVmms(paths.vmmLog)]) await killProcess(system, vmm);
      await removeContents(system, directory, paths.shimLog);
      isOurs = true;
    },
    abandon: async () => (isOurs ? release() : close()),
    release,
  };
}

async function lockDirectory(system: System, { directory, shimSocket }: PodPaths): Promise<number> {
  const deadlineMs = system.now() + FREE_WITHIN_MS;
  for (;;) {
    await system.makeDirectory(directory, MODE);
    const fd = openDirectory(directory);
    if (fd === undefined) continue;
    if (sys.flock(fd, LOCK.EX | LOCK.NB) === EAGAIN) {
      sys.close(fd);
      if (system.now() > deadlineMs || (await isServed(system, shimSocket))) {
        throw new Fault('exists', `${directory} belongs to a shim that runs; stop that pod, or choose another id`, {
          fields: { directory },
        });
      }
      await system.sleep(LOOK_AGAIN_MS);
      continue;
    }
    // Its owner may have removed it, and another made it anew, before the lock was ours.
    if (sys.stat(directory)?.ino === sys.fstat(fd).ino) return fd;
    sys.close(fd);
  }
}

/** The kernel closes a killed shim's descriptors one by one: until it comes to the socket, that lets everybody in. */
async function isServed(system: System, socket: string): Promise<boolean> {
  const stream = await system.connect(socket).catch(() => undefined);
  if (stream === undefined) return false;
  const turnedAway = stream.read().then(
    () => false,
    () => false,
  );
  const isStaying = await Promise.race([turnedAway, system.sleep(DIES_WITHIN_MS).then(() => true)]);
  stream.close();
  return isStaying;
}

function openDirectory(directory: string): number | undefined {
  try {
    return sys.open(directory, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw new Fault('io', `could not open ${directory}`, { cause: error });
  }
}

async function removeContents(system: System, directory: string, kept?: string): Promise<void> {
  const paths = (await system.list(directory)).map((name) => `${directory}/${name}`);
  for (const path of paths) if (path !== kept) await system.remove(path);
}
