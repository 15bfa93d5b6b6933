import { readFile, writeFile } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { formatExperiment, formatMachine } from '../core/markdown.ts';
import { type BenchResults, benchResults } from '../core/results.ts';

/** Below the root of the repository, where all commands run. */
const DOCUMENT = 'docs/performance.md';

/** Makes docs/performance.md of the results of one or several suites. */
export async function writePerformance(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) throw new Fault('invalid', 'document: name the results that "npm run bench -- SUITE" wrote');
  const results = await Promise.all(paths.map(async (path) => benchResults.decode(await readFile(path, 'utf8'), path)));
  await writeFile(DOCUMENT, formatPerformance(results));
}

function formatPerformance(results: readonly BenchResults[]): string {
  const machines = [...new Set(results.map(({ machine }) => formatMachine(machine)))];
  return `${[
    '# Performance',
    INTRODUCTION,
    ...machines.map((machine) => `Measured on:\n${machine}`),
    ...results.flatMap(({ experiments }) => experiments.map(formatExperiment)),
  ].join('\n\n')}\n`;
}

const INTRODUCTION = `Made by \`npm run bench -- document\` of what \`npm run bench -- SUITE\` wrote; do not edit. berth and its peers run in
the same rounds on the same machine. Absolute times depend on the machine and its load: trust minimums and ratios.
"min" is the best round, "95 %" the bootstrap interval of the figure before it, "berth / it" the ratio of the medians.
"recorded" is a figure of a peer that this machine lacks, from another one of its kind.`;
