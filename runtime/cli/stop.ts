import { resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { parseSandboxId, type SandboxId } from '../../proto/ids.ts';
import { DEFAULT_RUN_DIRECTORY, podPaths, runPaths } from '../../proto/paths.ts';
import { type Command, onePositional, parseCount, parseFlags } from './command.ts';
import { connectShim, stopPod } from './shim-client.ts';

interface StopOptions {
  readonly id: SandboxId;
  readonly timeoutMs: number;
  readonly runDirectory: string;
}

export const stopCommand: Command = {
  name: 'stop',
  summary: 'end a pod: container, file systems, VM, in this order',
  help: `berth stop: end a pod

Usage: berth stop ID [FLAGS]

Ends the container, unmounts the volumes, powers the VM off, and returns when the pod's process is gone too. What does
not end in time is killed; the data that were synced are on the volumes all the same.

  --timeout S    before the VM is killed; default 30
  --run-dir DIR  default ${DEFAULT_RUN_DIRECTORY}

Example: berth stop run-1f8a02bc
`,
  prepare(args) {
    const { values, positionals } = parseFlags(args, {
      allowPositionals: true,
      options: {
        timeout: { type: 'string', default: '30' },
        'run-dir': { type: 'string', default: DEFAULT_RUN_DIRECTORY },
      },
    });
    const options = {
      id: parseSandboxId(onePositional(positionals, 'ID'), 'ID'),
      timeoutMs: parseCount('timeout', values.timeout, { min: 0, max: 3600 }) * 1000,
      runDirectory: resolve(values['run-dir']),
    };
    return () => stop(options);
  },
};

async function stop(options: StopOptions): Promise<number> {
  const { shimSocket } = podPaths(runPaths(options.runDirectory), options.id);
  const shim = await connectShim(shimSocket).catch((cause: unknown) => {
    throw new Fault('not-found', `no pod ${options.id} runs; "berth ps" lists those that do`, { cause });
  });
  await stopPod(shim, options.timeoutMs);
  return 0;
}
