import { Fault } from '../../proto/fault.ts';
import type { Case } from './suite.ts';

/** Case -> measure -> one value for each round. */
export type Samples = Record<string, Record<string, number[]>>;

export interface Rounds {
  /** Rounds that are run and forgotten: caches are warm, and the first of everything is made. */
  readonly warmUp: number;
  readonly rounds: number;
}

/**
 * Measures all cases in every round, so that what disturbs the machine for a while disturbs each of them. Each round
 * begins with another case: none always runs in the wake of the same one.
 */
export async function runRounds(cases: readonly Case[], { warmUp, rounds }: Rounds): Promise<Samples> {
  const samples: Samples = {};
  for (const { name } of cases) samples[name] = {};
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const { name, measure } of rotated(cases, round + warmUp)) {
      const values = await measure();
      if (round < 0) continue;
      for (const [key, value] of Object.entries(values)) {
        if (!Number.isFinite(value)) throw new Fault('internal', `${name}: ${key} of round ${round} is ${value}`);
        const own = samples[name] ?? {};
        own[key] = [...(own[key] ?? []), value];
      }
    }
  }
  return samples;
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
