import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { parseSandboxId } from '../../proto/ids.ts';
import { DEFAULT_RUN_DIRECTORY, podPaths, runPaths } from '../../proto/paths.ts';
import { type Command, JSON_FLAG, onePositional, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { followFile } from './follow-file.ts';
import { LineSplitter } from './line-splitter.ts';

const FLAGS = {
  console: { type: 'boolean', default: false },
  vmm: { type: 'boolean', default: false },
  shim: { type: 'boolean', default: false },
  follow: { type: 'boolean', default: false, short: 'f' },
  ...JSON_FLAG,
  ...RUN_DIRECTORY_FLAG,
} as const;

export const logsCommand: Command = {
  name: 'logs',
  summary: "print a pod's console, or the log of its VMM or shim",
  help: `berth logs: what a pod's parts have said

Usage: berth logs ID [FLAGS]

Without a choice: the guest's console, where its kernel and agent speak. What the container prints is not there: that is
the output of "berth run". Logs live as long as the pod; the error of a pod that did not start has the console's end.

  --console      the guest's kernel and agent
  --vmm          the VMM: what QEMU complained of
  --shim         the pod's own process: JSON lines
  --follow       go on until the pod has ended
  --json         each line as a JSON object, {"source", "line"}
  --run-dir DIR  default ${DEFAULT_RUN_DIRECTORY}

Example: berth logs run-1f8a02bc --shim --follow
`,
  flags: FLAGS,
  prepare(args) {
    const { values, positionals } = parseFlags(args, { allowPositionals: true, options: FLAGS });
    const chosen = (['console', 'vmm', 'shim'] as const).filter((source) => values[source]);
    const [source = 'console'] = chosen;
    if (chosen.length > 1) throw new Fault('invalid', `one log at a time: --${chosen.join(' or --')}`);
    const id = parseSandboxId(onePositional(positionals, 'ID'), 'ID');
    const paths = podPaths(runPaths(resolve(values['run-dir'])), id);
    const path = { console: paths.console, vmm: paths.vmmLog, shim: paths.shimLog }[source];
    return async () => {
      if (!existsSync(paths.directory)) {
        throw new Fault('not-found', `there is no pod ${id}, and the logs of a pod end with it; "berth ps" lists pods`);
      }
      if (!existsSync(path) && !values.follow) {
        throw new Fault('not-found', `pod ${id} has no ${basename(path)} yet; --follow waits for it`);
      }
      await followFile(path, { follow: values.follow, write: values.json ? jsonLines(source) : writeStdout });
      return 0;
    };
  },
};

const writeStdout = (chunk: Uint8Array): void => void process.stdout.write(chunk);

function jsonLines(source: string): (chunk: Uint8Array) => void {
  const lines = new LineSplitter();
  return (chunk) => {
    for (const line of lines.push(chunk)) process.stdout.write(`${JSON.stringify({ source, line })}\n`);
  };
}
