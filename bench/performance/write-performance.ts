import { readFile, writeFile } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { formatExperiment, formatMachine } from '../core/markdown.ts';
import { type BenchResults, benchResults } from '../core/results.ts';
import { mergePerformance } from './merge-performance.ts';

/** Below the root of the repository, where all commands run. */
const DOCUMENT = 'docs/performance.md';

/** Puts the results of one or several suites into docs/performance.md; what it says of others stays. */
export async function writePerformance(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) throw new Fault('invalid', 'document: name the results that "npm run bench -- SUITE" wrote');
  const results = await Promise.all(paths.map(async (path) => benchResults.decode(await readFile(path, 'utf8'), path)));
  const before = await createNodeSystem().readFile(DOCUMENT);
  await writeFile(DOCUMENT, formatPerformance(results, before === undefined ? '' : new TextDecoder().decode(before)));
}

function formatPerformance(results: readonly BenchResults[], before: string): string {
  return mergePerformance(before, {
    introduction: INTRODUCTION,
    machines: results.map(({ machine }) => formatMachine(machine)),
    sections: results.flatMap(({ experiments }) => experiments.map(formatExperiment)),
  });
}

const INTRODUCTION = `# Performance

Made by \`npm run bench -- document\` of what \`npm run bench -- SUITE\` wrote; do not edit. berth and its peers run in
the same rounds on the same machine. Absolute times depend on the machine and its load: trust minimums and ratios.
"min" is the best round, "95 %" the bootstrap interval of the figure before it, "berth / it" the ratio of the medians.
"recorded" is a figure of a peer that this machine lacks, from another one of its kind.`;
