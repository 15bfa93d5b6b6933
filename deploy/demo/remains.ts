import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { readMounts } from '../../runtime/system/node/mounts.ts';

/** What of berth's is still there, one line each; empty when nothing is. Looks at the world that it runs in. */
export async function findRemains(runDirectory: string, poolDirectory: string): Promise<readonly string[]> {
  return [
    ...(await findProcesses()).map((name) => `process ${name}`),
    ...(await readMounts())
      .filter(({ source }) => source.startsWith('berth:'))
      .map(({ mountPoint }) => `mount ${mountPoint}`),
    ...(await findFiles(runDirectory)).map((path) => `file ${path}`),
    ...(await readdir(join(poolDirectory, 'volumes'))).map((name) => `volume ${name}`),
  ];
}

const OURS = /\/(qemu-system-[^/]*|virtiofsd|containerd-shim-berth-v2|berth)$/;

async function findProcesses(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const programs = await Promise.all(pids.map(async (pid) => ({ pid, path: await readExecutable(pid) })));
  return programs.filter(({ path }) => OURS.test(path)).map(({ pid, path }) => `${pid} ${path}`);
}

/** Empty for a process that has just ended. */
const readExecutable = (pid: string): Promise<string> => readlink(`/proc/${pid}/exe`).catch(() => '');

/** Records, sockets, logs: any file below the directory; empty directories are scaffolding. */
async function findFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}
