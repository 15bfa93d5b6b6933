/** Confidence of every interval. */
const LEVEL = 0.95;
const RESAMPLES = 1000;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export function quantile(values: readonly number[], portion: number): number {
  if (values.length === 0) throw new RangeError('a quantile needs at least one value');
  const sorted = [...values].sort((left, right) => left - right);
  const position = portion * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Of the median, by the percentile bootstrap. */
export function medianInterval(values: readonly number[], random = seededRandom(1)): Interval {
  return bootstrap(values.length, random, (rounds) => median(rounds.map((round) => at(values, round))));
}

/**
 * Of the ratio of two medians, by the percentile bootstrap over rounds: what disturbed a round disturbed both, so both
 * of a round are drawn together. The two have one value for each round.
 */
export function ratioInterval(
  numerators: readonly number[],
  denominators: readonly number[],
  random = seededRandom(1),
): Interval {
  if (numerators.length !== denominators.length) throw new RangeError('a ratio needs the same rounds on both sides');
  return bootstrap(
    numerators.length,
    random,
    (rounds) =>
      median(rounds.map((round) => at(numerators, round))) / median(rounds.map((round) => at(denominators, round))),
  );
}

/** mulberry32: the same figures from the same samples, each time. In [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function bootstrap(rounds: number, random: () => number, statistic: (drawn: readonly number[]) => number): Interval {
  const draw = () => Array.from({ length: rounds }, () => Math.floor(random() * rounds));
  const found = Array.from({ length: RESAMPLES }, () => statistic(draw()));
  return { low: quantile(found, (1 - LEVEL) / 2), high: quantile(found, (1 + LEVEL) / 2) };
}

const at = (values: readonly number[], index: number): number => values[index] ?? Number.NaN;
