import { expect, it } from 'vitest';
import { runSuite } from './run-suite.ts';
import type { Experiment, Suite } from './suite.ts';

const experiment = (name: string): Experiment => ({
  ...{ name, title: name, method: name, measures: [{ key: 'time', title: 'time', unit: 'ms' }], warmUp: 0, rounds: 2 },
  open: async () => ({
    cases: [{ name: 'berth', measure: async () => ({ time: 1 }) }],
    absent: [],
    close: async () => {},
  }),
});
const suite: Suite = { name: 'both', summary: '', experiments: [experiment('one'), experiment('two')] };
const context = { launcher: '', peers: () => [] };

const run = async (only: readonly string[] | undefined): Promise<string[]> => {
  const { experiments } = await runSuite(suite, context, { only, rounds: 1, onResults: () => {} });
  return experiments.map(({ name }) => name);
};

it('runs all experiments, or those that were named', async () => {
  expect(await run(undefined)).toEqual(['one', 'two']);
  expect(await run(['two'])).toEqual(['two']);
});

it('names what there is where an experiment is not', async () => {
  await expect(run(['one', 'three'])).rejects.toThrow('suite both has no experiment three, but one, two');
});
