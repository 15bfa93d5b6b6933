import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { isRunning, readProcessIdentity } from '../../runtime/system/process-identity.ts';

/** On a real file system: image files want direct I/O and sparse allocation, which a tmpfs has not. */
const ROOT = '/var/tmp';
const NAME = /^berth-scratch-(\d+)-(\d+)-/;

/** A directory named after this process, so that one left by a killed process is known and removed by the next. */
export async function createScratch(): Promise<string> {
  await sweepScratch();
  const self = await readProcessIdentity(createNodeSystem(), process.pid);
  return mkdtemp(join(ROOT, `berth-scratch-${process.pid}-${self?.startTicks ?? 0}-`));
}

/** Tries again for a while: processes that are being killed may still write. */
export const removeScratch = (directory: string): Promise<void> =>
  rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });

async function sweepScratch(): Promise<void> {
  const system = createNodeSystem();
  for (const name of await readdir(ROOT)) {
    const [, pid, startTicks] = NAME.exec(name) ?? [];
    if (pid === undefined || startTicks === undefined) continue;
    const owner = { pid: Number(pid), startTicks: Number(startTicks) };
    if (!(await isRunning(system, owner))) await removeScratch(join(ROOT, name));
  }
}
