import { Fault } from '../../proto/fault.ts';
import { describeMachine, readLoadAverage } from './machine.ts';
import type { BenchResults, ExperimentResults } from './results.ts';
import { runRounds } from './rounds.ts';
import type { BenchContext, Experiment, Suite } from './suite.ts';

export interface SuiteOptions {
  /** Names of experiments; undefined: all. */
  readonly only: readonly string[] | undefined;
  /** In place of each experiment's own number. */
  readonly rounds: number | undefined;
  /** Called with each experiment's results as soon as they are there. */
  readonly onResults: (results: ExperimentResults) => void;
}

export async function runSuite(suite: Suite, context: BenchContext, options: SuiteOptions): Promise<BenchResults> {
  const experiments: ExperimentResults[] = [];
  for (const experiment of choose(suite, options.only)) {
    const results = await runExperiment(experiment, context, options.rounds ?? experiment.rounds);
    options.onResults(results);
    experiments.push(results);
  }
  return { suite: suite.name, machine: await describeMachine(), experiments };
}

function choose({ name: suite, experiments }: Suite, only: readonly string[] | undefined): readonly Experiment[] {
  if (only === undefined) return experiments;
  const names = experiments.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown === undefined) return experiments.filter(({ name }) => only.includes(name));
  throw new Fault('invalid', `suite ${suite} has no experiment ${unknown}, but ${names.join(', ')}`);
}

async function runExperiment(
  experiment: Experiment,
  context: BenchContext,
  rounds: number,
): Promise<ExperimentResults> {
  const { name, title, method, measures, warmUp } = experiment;
  const loadBefore = readLoadAverage();
  const { cases, absent, close } = await experiment.open(context);
  try {
    const samples = await runRounds(cases, { warmUp, rounds });
    return { name, title, method, measures, rounds, loadBefore, loadAfter: readLoadAverage(), samples, absent };
  } finally {
    await close();
  }
}
