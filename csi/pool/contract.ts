import { afterEach, beforeEach, describe } from 'vitest';
import { OpenBench, type PoolBench } from './contract/bench.ts';
import { describeCopies } from './contract/copies.ts';
import { describeSnapshots } from './contract/snapshots.ts';
import { describeSpace } from './contract/space.ts';
import { describeVolumes } from './contract/volumes.ts';

/** What every backend has to do: held to it by a test of each. */
export function describePoolContract(name: string, openBench: () => Promise<PoolBench>): void {
  describe(`pool contract: ${name}`, () => {
    let on: OpenBench;
    beforeEach(async () => {
      on = await OpenBench.on(await openBench());
    });
    afterEach(() => on.close());
    for (const describeOne of [describeVolumes, describeCopies, describeSnapshots, describeSpace])
      describeOne(() => on);
  });
}
