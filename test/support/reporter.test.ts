import { describe, expect, it } from 'vitest';
import { formatSkips, formatSlowest, formatTotals, type Outcome } from './reporter.ts';

const outcome = (state: Outcome['state'], note?: string, durationMs = 0): Outcome => ({
  name: state,
  state,
  durationMs,
  note,
});

describe('reporter', () => {
  it('writes the line CI reads, exactly', () => {
    const outcomes = [outcome('passed'), outcome('passed'), outcome('failed'), outcome('skipped')];
    expect(formatTotals(outcomes, 0)).toBe('tests: 2 passed, 1 failed, 1 skipped');
    expect(formatTotals([], 0)).toBe('tests: 0 passed, 0 failed, 0 skipped');
  });

  it('counts a file that did not load as a failure and a test that never ran as a skip', () => {
    expect(formatTotals([outcome('passed'), outcome('pending')], 2)).toBe('tests: 1 passed, 2 failed, 1 skipped');
  });

  it('counts skips by their reason', () => {
    const outcomes = [
      outcome('skipped', 'no KVM'),
      outcome('skipped'),
      outcome('skipped', 'no KVM'),
      outcome('pending'),
    ];
    expect(formatSkips(outcomes)).toEqual([
      'skipped 2: no KVM',
      'skipped 1: no reason given',
      'skipped 1: the run was interrupted',
    ]);
  });

  it('shows the ten slowest of those that ran, the slowest first', () => {
    const outcomes = Array.from({ length: 12 }, (_, index) => outcome('passed', undefined, index * 1000));
    const lines = formatSlowest([...outcomes, outcome('skipped', undefined, 99_000)]);
    expect(lines).toHaveLength(12);
    expect(lines[1]).toBe('    11.00 s  passed');
  });
});
