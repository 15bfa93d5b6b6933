import { describe, expect, it } from 'vitest';
import type { ExperimentResults } from './results.ts';
import { summarize } from './summary.ts';

const RESULTS: ExperimentResults = {
  name: 'x',
  title: 'X',
  method: 'by hand',
  measures: [
    { key: 'add', title: 'ADD', unit: 'ms' },
    { key: 'del', title: 'DEL', unit: 'ms' },
  ],
  rounds: 3,
  loadBefore: 0,
  loadAfter: 0,
  samples: { ours: { add: [2, 1, 3], del: [1, 1, 1] }, theirs: { add: [4, 4, 4] } },
  absent: [{ name: 'other', reason: 'not here', recordedMinimum: { del: 9 } }],
};

describe('summary', () => {
  it('compares the first case with each that has the measure, and adds what is recorded of those absent', () => {
    const [add, del] = summarize(RESULTS);
    expect(add?.rows).toEqual([
      { name: 'ours', minimum: 1, measured: { median: 2, interval: { low: 1, high: 3 } } },
      {
        name: 'theirs',
        minimum: 4,
        measured: {
          median: 4,
          interval: { low: 4, high: 4 },
          ratio: { value: 0.5, interval: { low: 0.25, high: 0.75 } },
        },
      },
    ]);
    expect(del?.rows).toEqual([
      { name: 'ours', minimum: 1, measured: { median: 1, interval: { low: 1, high: 1 } } },
      { name: 'other (recorded)', minimum: 9 },
    ]);
  });
});
