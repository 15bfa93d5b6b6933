import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** A VMM process whose command line names a pod's directory. */
export interface VmmProcess {
  readonly pid: number;
  readonly podId: string;
}

const listPids = async (): Promise<number[]> =>
  (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);

/** QEMU processes of pods below `podsDirectory`, whether or not a record names them. */
export async function listVmmProcesses(podsDirectory: string): Promise<VmmProcess[]> {
  const found: VmmProcess[] = [];
  for (const pid of await listPids()) {
    const program = basename(await readlink(`/proc/${pid}/exe`).catch(() => ''));
    if (!program.startsWith('qemu-system-')) continue;
    const podId = findPodId(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''), podsDirectory);
    if (podId !== undefined) found.push({ pid, podId });
  }
  return found;
}

/** The pod whose directory a command line, its arguments ended by zero bytes, names first. */
export function findPodId(commandLine: string, podsDirectory: string): string | undefined {
  const at = commandLine.indexOf(`${podsDirectory}/`);
  if (at < 0) return undefined;
  return /^[^/,\0]+/.exec(commandLine.slice(at + podsDirectory.length + 1))?.[0];
}

/** Processes that have a file open, or are in a namespace; `link` is what /proc calls it: a path, or `net:[4026531840]`. */
export async function findHolders(link: string): Promise<number[]> {
  const holders: number[] = [];
  for (const pid of await listPids()) {
    const fds = (await readdir(`/proc/${pid}/fd`).catch(() => [])).map((fd) => `fd/${fd}`);
    const links = await Promise.all(['ns/net', ...fds].map((name) => readlink(`/proc/${pid}/${name}`).catch(() => '')));
    if (links.includes(link)) holders.push(pid);
  }
  return holders;
}

/** Whether a mount of any process keeps a namespace, `net:[4026531840]`, alive. */
export async function isMounted(namespace: string): Promise<boolean> {
  const seen = new Set<string>();
  for (const pid of await listPids()) {
    const mounts = await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
    if (mounts === '' || seen.has(mounts)) continue;
    seen.add(mounts);
    const table = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
    if (table.includes(` ${namespace} `)) return true;
  }
  return false;
}
