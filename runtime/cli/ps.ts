import { resolve } from 'node:path';
import { DEFAULT_RUN_DIRECTORY } from '../../proto/paths.ts';
import { createNodeSystem } from '../system/node/system.ts';
import { type Command, formatJson, JSON_FLAG, parseFlags, RUN_DIRECTORY_FLAG } from './command.ts';
import { formatPods } from './format-pods.ts';
import { listPods } from './list-pods.ts';
import { reportUnreadable } from './subcommand.ts';

const FLAGS = { ...JSON_FLAG, ...RUN_DIRECTORY_FLAG } as const;

export const psCommand: Command = {
  name: 'ps',
  summary: 'list the pod VMs of this node',
  help: `berth ps: the pod VMs of this node

Usage: berth ps [FLAGS]

One line for each record below the run directory. STATE is what the pod's shim recorded last, or "dead" when the shim
is gone and could not say so. A record that cannot be read is named on standard error, with exit status 1.

  --json         the records themselves, as a JSON array, each with "alive"
  --run-dir DIR  default ${DEFAULT_RUN_DIRECTORY}

Example: berth ps --json | jq -r '.[] | select(.alive) | .id'
`,
  flags: FLAGS,
  prepare(args) {
    const { values } = parseFlags(args, { options: FLAGS });
    return async () => {
      const { pods, unreadable } = await listPods(createNodeSystem(), resolve(values['run-dir']));
      process.stdout.write(values.json ? formatJson(pods) : formatPods(pods, Date.now()));
      return reportUnreadable(unreadable);
    };
  },
};
