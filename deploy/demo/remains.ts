import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { parseMountinfo } from '../../runtime/system/node/mounts.ts';

export interface Places {
  /** Where the world's root is for this process; empty within it. */
  readonly root: string;
  readonly runDirectory: string;
  readonly poolDirectory: string;
}

/** What of berth's is still there in a world, one line each; empty when nothing is. */
export async function findRemains({ root, runDirectory, poolDirectory }: Places): Promise<readonly string[]> {
  const mounts = parseMountinfo(await readFile(`${root}/proc/1/mountinfo`, 'utf8'));
  const ours = mounts.filter(({ source }) => source.startsWith('berth:'));
  return [
    ...(await findProcesses(`${root}/proc`)).map((name) => `process ${name}`),
    ...ours.map(({ mountPoint }) => `mount ${mountPoint}`),
    ...(await findFiles(`${root}${runDirectory}`)).filter(isOfPod).map((path) => `file ${path}`),
    ...(await readdir(join(`${root}${poolDirectory}`, 'volumes'))).map((name) => `volume ${name}`),
  ];
}

const OURS = /\/(qemu-system-[^/]*|virtiofsd|containerd-shim-berth-v2|berth)$/;

async function findProcesses(proc: string): Promise<string[]> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name));
  const programs = await Promise.all(pids.map(async (pid) => ({ pid, path: await readExecutable(proc, pid) })));
  return programs.filter(({ path }) => OURS.test(path)).map(({ pid, path }) => `${pid} ${path}`);
}

/** Empty for a process that has just ended. */
const readExecutable = (proc: string, pid: string): Promise<string> => readlink(`${proc}/${pid}/exe`).catch(() => '');

/**
 * What `--accelerator auto` came to, and the lock beside it, are the host's, until it boots anew; the CSI driver's own lock
 * is the driver's, for its life.
 */
const isOfPod = (path: string): boolean => !/\/(accelerator(\.json|\/lock)|csi\/lock)$/.test(path);

/** Records, sockets, logs: any file below the directory. Empty directories are scaffolding. */
async function findFiles(directory: string): Promise<string[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}
