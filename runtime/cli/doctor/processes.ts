import { readdir, readFile, readlink } from 'node:fs/promises';

/** A VMM, by its log: a pod's VMM writes to it from before its first instruction on, whatever its program is called. */
export interface VmmProcess {
  readonly pid: number;
  readonly podId: string;
}

const listPids = async (): Promise<number[]> =>
  (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);

/** VMMs of pods below `podsDirectory`, whether or not a record names them. */
export async function listVmmProcesses(podsDirectory: string): Promise<VmmProcess[]> {
  const found: VmmProcess[] = [];
  for (const pid of await listPids()) {
    const podId = findPodId(await readlink(`/proc/${pid}/fd/1`).catch(() => ''), podsDirectory);
    if (podId !== undefined) found.push({ pid, podId });
  }
  return found;
}

/** The pod whose VMM has this standard output, as /proc calls it. */
export function findPodId(output: string, podsDirectory: string): string | undefined {
  if (!output.startsWith(`${podsDirectory}/`)) return undefined;
  const [, podId] = /^([^/]+)\/vmm\.log( \(deleted\))?$/.exec(output.slice(podsDirectory.length + 1)) ?? [];
  return podId;
}

/** What /proc calls its open files; nothing of a process that has ended. */
async function readOpenFiles(pid: number): Promise<readonly string[]> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  return Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
}

/** Processes that have a file open, or are in a namespace; `link` is what /proc calls it: a path, or `net:[4026531840]`. */
export async function findHolders(link: string): Promise<number[]> {
  const holders: number[] = [];
  for (const pid of await listPids()) {
    const namespace = await readlink(`/proc/${pid}/ns/net`).catch(() => '');
    if (namespace === link || (await readOpenFiles(pid)).includes(link)) holders.push(pid);
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
