import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { createScratch, removeScratch } from '../../deploy/demo/scratch.ts';
import { worldCommand } from '../../deploy/demo/world.ts';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { exec } from '../../runtime/system/node/exec.ts';

/** Mount, network and PID namespaces of a test's own, held by a process that ends with the test's. */
export interface World {
  /** Argument prefix that runs a command in it. */
  readonly prefix: readonly string[];
  /** How this process sees the world's root: a path of the world, appended, is that file. */
  readonly root: string;
  /** An empty directory on a real file system, the same inside and outside; removed with the world. */
  readonly scratch: string;
  readonly runDirectory: string;
  /** A command that must succeed, in it; answers what it printed. */
  exec(...command: readonly string[]): Promise<string>;
  /** Ends every process in it. */
  close(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const scratch = await createScratch();
  const [file = '', ...args] = worldCommand(['sh', '-c', 'echo ready; exec cat']);
  // The pipe to `cat` breaks when this process ends, however it does.
  const holder = execa(file, args, { reject: false, stdin: 'pipe', stderr: 'inherit' });
  await Promise.race([once(holder.stdout, 'data'), holder]);
  const first = await firstChild(holder.pid ?? 0);
  const prefix = ['nsenter', '--target', String(first), '--mount', '--net', '--pid', '--', 'env', 'TMPDIR=/run/tmp'];
  return {
    prefix,
    root: `/proc/${first}/root`,
    scratch,
    runDirectory: DEFAULT_RUN_DIRECTORY,
    exec(...command) {
      const [file = '', ...args] = [...prefix, ...command];
      return exec(file, args);
    },
    async close() {
      holder.stdin.end();
      await holder;
      await removeScratch(scratch);
    },
  };
}

/** To a command that was started with a world's prefix. nsenter stands between: it hands no signal on. */
export async function signalInWorld(pid: number, signal: NodeJS.Signals): Promise<void> {
  process.kill(await firstChild(pid), signal);
}

/** Pid, as this process counts, of the only child: the command, if `pid` is the nsenter that a prefix begins with. */
export async function firstChild(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const [first = ''] = children.trim().split(' ');
  if (first === '') throw new Error(`process ${pid} has no child`);
  return Number(first);
}
