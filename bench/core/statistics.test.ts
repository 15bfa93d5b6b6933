import { describe, expect, it } from 'vitest';
import { median, medianInterval, quantile, ratioInterval, seededRandom } from './statistics.ts';

/** Normal enough: the sum of twelve uniform draws, less its mean. */
function noise(random: () => number): number {
  return Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
}

describe('quantile', () => {
  it.each([
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 3, 2], 0.5, 2.5],
    [[10, 20], 0.25, 12.5],
    [[5], 0.9, 5],
    [[3, 1, 2], 0, 1],
    [[3, 1, 2], 1, 3],
  ])('of %j at %d is %d', (values, portion, expected) => {
    expect(quantile(values, portion)).toBe(expected);
  });

  it('is not had of nothing', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('bootstrap', () => {
  it('covers the true median about as often as it says', () => {
    const random = seededRandom(7);
    const experiments = 200;
    const covered = Array.from({ length: experiments }, () => {
      const { low, high } = medianInterval(
        Array.from({ length: 30 }, () => 10 + noise(random)),
        random,
      );
      return low <= 10 && 10 <= high;
    }).filter(Boolean).length;
    expect(covered / experiments).toBeGreaterThan(0.88);
    expect(covered / experiments).toBeLessThan(1);
  });

  it('is one point where all rounds are alike', () => {
    expect(medianInterval([4, 4, 4])).toEqual({ low: 4, high: 4 });
    expect(ratioInterval([4, 4, 4], [8, 8, 8])).toEqual({ low: 0.5, high: 0.5 });
  });

  it('draws both sides of a round together: what slows both does not widen the ratio', () => {
    const random = seededRandom(3);
    const peer = Array.from({ length: 50 }, () => 10 + 5 * random());
    const ours = peer.map((value) => value / 2);
    expect(ratioInterval(ours, peer)).toEqual({ low: 0.5, high: 0.5 });
  });

  it('gives the same figures for the same samples', () => {
    const samples = Array.from({ length: 20 }, seededRandom(5));
    expect(medianInterval(samples)).toEqual(medianInterval(samples));
  });

  it('refuses a ratio of unequal rounds', () => {
    expect(() => ratioInterval([1, 2], [1])).toThrow(RangeError);
  });
});
