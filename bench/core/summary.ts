import type { ExperimentResults } from './results.ts';
import { type Interval, median, medianInterval, quantile, ratioInterval } from './statistics.ts';

/** The figures of one measure. */
export interface MeasureSummary {
  readonly title: string;
  readonly unit: string;
  readonly rows: readonly Row[];
}

export interface Row {
  readonly name: string;
  readonly minimum: number;
  /** Of a peer that is absent, only the minimum is known. */
  readonly measured?: {
    readonly median: number;
    readonly interval: Interval;
    /** The subject's median by this one's; absent for the subject itself. */
    readonly ratio?: { readonly value: number; readonly interval: Interval };
  };
}

export const summarize = (results: ExperimentResults): readonly MeasureSummary[] =>
  results.measures.map(({ key, title, unit }) => ({
    title,
    unit,
    rows: [...measuredRows(results, key), ...recordedRows(results, key)],
  }));

function measuredRows({ samples }: ExperimentResults, key: string): Row[] {
  const cases = Object.entries(samples).flatMap(([name, measures]) => {
    const values = measures[key];
    return values === undefined ? [] : [{ name, values }];
  });
  const [subject] = cases;
  return cases.map(({ name, values }) => ({
    name,
    minimum: quantile(values, 0),
    measured: {
      median: median(values),
      interval: medianInterval(values),
      ...(subject === undefined || subject.name === name ? {} : { ratio: toRatio(subject.values, values) }),
    },
  }));
}

const toRatio = (subject: readonly number[], peer: readonly number[]) => ({
  value: median(subject) / median(peer),
  interval: ratioInterval(subject, peer),
});

const recordedRows = ({ absent }: ExperimentResults, key: string): Row[] =>
  absent.flatMap(({ name, recordedMinimum }) => {
    const minimum = recordedMinimum[key];
    return minimum === undefined ? [] : [{ name: `${name} (recorded)`, minimum }];
  });
