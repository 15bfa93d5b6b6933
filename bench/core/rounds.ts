import { Fault } from '../../proto/fault.ts';
import { seededRandom } from './statistics.ts';
import type { Case } from './suite.ts';

/** Case -> measure -> one value for each round. */
export type Samples = Record<string, Record<string, number[]>>;

export interface Rounds {
  /** Rounds that are run and forgotten: caches are warm, and the first of everything is made. */
  readonly warmUp: number;
  readonly rounds: number;
}

/**
 * Measures all cases in every round, so that what disturbs the machine for a while disturbs each of them. Their order is
 * drawn anew for each round: the kernel clears up after a case while the next one runs, and it must not always be the
 * same one that pays.
 */
export async function runRounds(cases: readonly Case[], { warmUp, rounds }: Rounds): Promise<Samples> {
  const samples: Samples = {};
  for (const { name } of cases) samples[name] = {};
  const random = seededRandom(1);
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const { name, measure } of shuffled(cases, random)) {
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

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((left, right) => left.key - right.key).map(({ item }) => item);
}
