import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../deploy/setup/build.ts';
import { buildNative } from '../deploy/setup/native-build.ts';
import { setUp } from '../deploy/setup/setup.ts';
import { Fault } from '../proto/fault.ts';
import { findPeers, findSuites } from './core/find-modules.ts';
import { formatExperiment, formatMachine } from './core/markdown.ts';
import { writeResults } from './core/results.ts';
import { runSuite } from './core/run-suite.ts';
import type { BenchContext, Suite } from './core/suite.ts';
import { writePerformance } from './performance/write-performance.ts';

/** Below the root of the repository, and no part of it: samples are of a machine, not of the project. */
const RESULTS = 'node_modules/.cache/berth/bench';
const LAUNCHER = join(RESULTS, 'launcher');

const USAGE = `Usage: npm run bench -- SUITE [--only EXPERIMENT]... [--rounds N] [--output FILE]
       npm run bench -- document RESULTS...       makes docs/performance.md of results

Each suite writes all its samples to FILE, by default ${RESULTS}/SUITE.json.

Suites:
`;

/** `npm run bench` */
export async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      only: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      output: { type: 'string' },
    },
  });
  const [command, ...rest] = positionals;
  if (command === 'document') {
    await writePerformance(rest);
    return 0;
  }
  const suites = await findSuites();
  const suite = suites.find(({ name }) => name === command);
  if (suite === undefined) return explain(suites, command);
  const output = values.output ?? join(RESULTS, `${suite.name}.json`);
  const results = await runSuite(suite, await prepare(), {
    only: values.only,
    rounds: values.rounds === undefined ? undefined : parseRounds(values.rounds),
    onResults: (experiment) => process.stdout.write(`\n${formatExperiment(experiment)}\n`),
  });
  await writeResults(output, results);
  process.stdout.write(`\n${formatMachine(results.machine)}\nAll samples: ${output}\n`);
  return 0;
}

function explain(suites: readonly Suite[], command: string | undefined): number {
  const list = suites.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}\n`).join('');
  if (command !== undefined) process.stderr.write(`there is no suite ${command}\n`);
  process.stdout.write(`${USAGE}${list}`);
  return command === undefined ? 0 : 2;
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isSafeInteger(rounds) && rounds > 0) return rounds;
  throw new Fault('invalid', `--rounds is ${text}, but must be a whole number above 0`);
}

/** What is measured is what is in this checkout, built. */
async function prepare(): Promise<BenchContext> {
  const { toolchain, guestBase } = await setUp();
  await build(toolchain, guestBase);
  await buildNative({ entry: 'bench/launcher/main.ts', output: LAUNCHER }, toolchain);
  const peers = await findPeers();
  return { launcher: resolve(LAUNCHER), peers: (role) => peers.filter((peer) => peer.role === role) };
}
