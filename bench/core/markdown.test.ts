import { describe, expect, it } from 'vitest';
import { formatExperiment } from './markdown.ts';
import type { ExperimentResults } from './results.ts';

const RESULTS: ExperimentResults = {
  name: 'x',
  title: 'Both',
  method: `${'word '.repeat(30)}end.`,
  measures: [{ key: 'add', title: 'ADD', unit: 'ms' }],
  rounds: 2,
  loadBefore: 0.25,
  loadAfter: 1,
  samples: { ours: { add: [1, 1] }, 'their long name': { add: [400, 400] } },
  absent: [{ name: 'other', reason: 'not here', recordedMinimum: { add: 2.5 } }],
};

describe('Markdown of an experiment', () => {
  it('is a table with aligned columns, between short lines', () => {
    const text = formatExperiment(RESULTS);
    expect(text).toContain(
      [
        '| ADD, ms          |  min | median |      95 % | berth / it |            95 % |',
        '| ---------------- | ---: | -----: | --------: | ---------: | --------------: |',
        '| ours             | 1.00 |   1.00 | 1.00-1.00 |            |                 |',
        '| their long name  |  400 |    400 |   400-400 |    0.00250 | 0.00250-0.00250 |',
        '| other (recorded) | 2.50 |        |           |            |                 |',
      ].join('\n'),
    );
    expect(text).toContain('other: not here.\n\n2 rounds; load average 0.3 before, 1.0 after.');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
  });
});
