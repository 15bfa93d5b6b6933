import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Fault } from '../../../proto/fault.ts';
import { describeUntested, failedRules, writeReport } from './report.ts';
import { runRules } from './run-rules.ts';
import type { Json, JsonObject } from './template.ts';

const USAGE = `Looks at a CNI plugin from outside: every verb, version and error of the specification.

  node deploy/setup/run-ts.mjs test/conformance/cni/main.ts --plugin PATH --config FILE [OPTION...]

  --plugin PATH         the plugin
  --config FILE         its configuration, as in the list of a network; {{number}}, {{containerId}} and {{netns}} stand
                        for what differs from one container to the next
  --chain-before FILE   a network configuration list, or a list of configurations: the plugins before it in the chain
  --cni-path DIRS       where those are, and IPAM plugins, separated by colons; the plugin's own directory is the first
  --prepare COMMAND     a shell command before each container's first plugin, on the node; the same words stand in it
  --if-name NAME        CNI_IFNAME; default eth0
  --only RULES          ids of rules, separated by commas
  --report DIR          report.json and report.md go there
  --help                this text

Needs root, iproute2 and nsenter; makes its own namespaces, and ends with status 1 if a rule fails.
`;

/** docs/cni-conformance.md */
export async function main(args: readonly string[]): Promise<number> {
  const { plugin, config, help, ...values } = parseOptions(args);
  if (help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (plugin === undefined || config === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const path = resolve(plugin);
  const report = await runRules({
    plugin: path,
    config: toObject(await readJson(config), config),
    before: values['chain-before'] === undefined ? [] : toPlugins(await readJson(values['chain-before'])),
    pluginDirectories: [dirname(path), ...values['cni-path'].split(':').filter((each) => each !== '')],
    prepare: values.prepare,
    ifName: values['if-name'],
    ...(values.only === undefined ? {} : { only: values.only.split(',') }),
    onRule: ({ id, outcome, notes }, tookMs) => {
      process.stdout.write(`${outcome.padEnd(14)} ${id} (${tookMs} ms)\n`);
      if (outcome === 'fails') for (const note of notes) process.stdout.write(`${' '.repeat(15)}${note}\n`);
    },
  });
  for (const each of report.untestedVersions) process.stdout.write(`${describeUntested(each)}\n`);
  if (values.report !== undefined) {
    for (const file of await writeReport(report, values.report)) process.stdout.write(`${file}\n`);
  }
  return failedRules(report).length === 0 ? 0 : 1;
}

function parseOptions(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = {
    plugin: text,
    config: text,
    'chain-before': text,
    'cni-path': { ...text, default: '/opt/cni/bin:/usr/lib/cni' },
    prepare: text,
    'if-name': { ...text, default: 'eth0' },
    only: text,
    report: text,
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new Fault('invalid', 'the command line cannot be read; --help explains it', { cause });
  }
}

async function readJson(path: string): Promise<Json> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Fault('io', `${path} cannot be read`, { cause });
  });
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new Fault('malformed', `${path} is not JSON`, { cause });
  }
}

function toObject(value: Json | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new Fault('malformed', `${what} is no JSON object`);
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The plugins of a list, with or without what is around them. */
function toPlugins(value: Json): JsonObject[] {
  const plugins = isObject(value) ? value['plugins'] : value;
  if (!Array.isArray(plugins)) throw new Fault('malformed', 'the chain before has no list of plugins');
  return plugins.map((each: Json, index) => toObject(each, `plugin ${index} of the chain before`));
}
