import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

const SLOWEST = 10;

/** What the reporter needs of a finished test. */
export interface Outcome {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  readonly durationMs: number;
  /** Of a skip: what the test said. */
  readonly note?: string | undefined;
}

/** Runs beside vitest's own reporter: the slowest tests, the skips with their reasons, and last the line CI reads. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const outcomes = modules.flatMap((module) => [...module.children.allTests()].map(toOutcome));
    const lines = [...formatSlowest(outcomes), ...formatSkips(outcomes)];
    const broken = modules.filter(isBroken).length + unhandled.length;
    process.stdout.write(`${[...lines, formatTotals(outcomes, broken)].join('\n')}\n`);
  }
}

export function formatSlowest(outcomes: readonly Outcome[]): string[] {
  const ran = outcomes.filter(({ state }) => state === 'passed' || state === 'failed');
  const slowest = ran.toSorted((one, other) => other.durationMs - one.durationMs).slice(0, SLOWEST);
  const rows = slowest.map(({ name, durationMs }) => `${(durationMs / 1000).toFixed(2).padStart(9)} s  ${name}`);
  return rows.length === 0 ? [] : ['slowest tests:', ...rows, ''];
}

export function formatSkips(outcomes: readonly Outcome[]): string[] {
  const reasons = new Map<string, number>();
  for (const { state, note } of outcomes) {
    const reason = state === 'pending' ? 'the run was interrupted' : (note ?? 'no reason given');
    if (isSkip(state)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return [...reasons].map(([reason, count]) => `skipped ${count}: ${reason}`);
}

/** `broken`: files that failed outside of any test, and errors that belong to none: each counts as a failed test. */
export function formatTotals(outcomes: readonly Outcome[], broken: number): string {
  const count = (wanted: (state: Outcome['state']) => boolean): number =>
    outcomes.filter(({ state }) => wanted(state)).length;
  const failed = count((state) => state === 'failed') + broken;
  return `tests: ${count((state) => state === 'passed')} passed, ${failed} failed, ${count(isSkip)} skipped`;
}

const isSkip = (state: Outcome['state']): boolean => state === 'skipped' || state === 'pending';

function toOutcome(test: TestCase): Outcome {
  const result = test.result();
  return {
    name: `${test.project.name}: ${test.fullName}`,
    state: result.state,
    durationMs: test.diagnostic()?.duration ?? 0,
    note: result.state === 'skipped' ? result.note : undefined,
  };
}

/** A file that could not be loaded, or whose hooks threw, without a test that failed for it. */
function isBroken(module: TestModule): boolean {
  return module.state() === 'failed' && [...module.children.allTests('failed')].length === 0;
}
