import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { parseSandboxId, type SandboxId } from '../../proto/ids.ts';
import { DEFAULT_RUN_DIRECTORY, podPaths, runPaths } from '../../proto/paths.ts';
import { type Command, onePositional, parseCount, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { findPrograms } from './programs.ts';
import { ensureNoDeadPod, openShim, stopPod } from './shim-client.ts';

interface StopOptions {
  readonly id: SandboxId;
  readonly timeoutMs: number;
  readonly runDirectory: string;
}

const FLAGS = { timeout: { type: 'string', default: '30' }, ...RUN_DIRECTORY_FLAG } as const;

export const stopCommand: Command = {
  name: 'stop',
  summary: 'end a pod: container, file systems, VM, in this order',
  help: `berth stop: end a pod

Usage: berth stop ID [FLAGS]

Ends the container, unmounts the volumes, powers the VM off, and returns when the pod's process is gone too. What does
not end in time is killed; the data that were synced are on the volumes all the same. Of a pod whose own process was
killed, the VM is ended in the same way if it runs, and what is left is cleared.

  --timeout S    before the VM is killed; default 30
  --run-dir DIR  default ${DEFAULT_RUN_DIRECTORY}

Example: berth stop run-1f8a02bc
`,
  flags: FLAGS,
  prepare(args) {
    const { values, positionals } = parseFlags(args, { allowPositionals: true, options: FLAGS });
    const options = {
      id: parseSandboxId(onePositional(positionals, 'ID'), 'ID'),
      timeoutMs: parseCount('timeout', values.timeout, { min: 0, max: 3600 }) * 1000,
      runDirectory: resolve(values['run-dir']),
    };
    return () => stop(options);
  },
};

async function stop({ id, timeoutMs, runDirectory }: StopOptions): Promise<number> {
  const { directory } = podPaths(runPaths(runDirectory), id);
  if (!existsSync(directory)) throw new Fault('not-found', `there is no pod ${id}; "berth ps" lists those there are`);
  const command = { program: findPrograms().shim, id, bundle: '/', runDirectory };
  await stopPod(await openShim(command), timeoutMs);
  await ensureNoDeadPod(command);
  return 0;
}
