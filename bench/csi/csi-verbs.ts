import { createWorld } from '../../test/support/world.ts';
import type { Experiment } from '../core/suite.ts';
import { openDrivers } from './driver.ts';
import { fill, measureVerbs, VERBS } from './verb-times.ts';

interface Load {
  readonly concurrency: 1 | 16;
  /** Volumes that are there all the while. */
  readonly volumes: 0 | 5000;
}

/** Volumes that each round makes, publishes and deletes. */
const PER_ROUND = { 1: 20, 16: 80 };

/** A driver's verbs under a load, as one experiment. */
export function csiVerbs({ concurrency, volumes }: Load): Experiment {
  const suffix = `${concurrency}${volumes === 0 ? '' : '-full'}`;
  const times = concurrency === 1 ? 'one call at a time' : '16 at a time';
  let round = 0;
  return {
    name: `csi-${suffix}`,
    title: `CSI verbs, ${times}, ${volumes === 0 ? 'an empty driver' : `${volumes} other volumes`}`,
    method:
      `Each round makes ${PER_ROUND[concurrency]} volumes of 16 MiB, publishes, measures, lists 100, unpublishes and ` +
      'deletes them over a unix socket, on the file system of the temporary directory, with one client (grpc-js) in a ' +
      `process of its own, whose share is in each figure. ${
        concurrency === 1
          ? 'A figure is the median of a round.'
          : 'A figure is the time for all calls of a verb by their number: the inverse of its throughput.'
      } Every reply of berth that promises data is durable (fsync); csi-driver-host-path syncs nothing.`,
    measures: VERBS.map((verb) => ({ key: `${verb}-${suffix}`, title: verb, unit: 'ms' as const })),
    warmUp: 1,
    rounds: 10,
    async open(context) {
      const world = await createWorld();
      const { drivers, absent } = await openDrivers(world, context);
      for (const driver of drivers) await fill(driver, volumes);
      return {
        absent,
        cases: drivers.map((driver) => ({
          name: driver.name,
          async measure() {
            round += 1;
            const load = { prefix: `bench-${round}`, count: PER_ROUND[concurrency], concurrency };
            const taken = await measureVerbs(driver, load);
            return Object.fromEntries(VERBS.map((verb) => [`${verb}-${suffix}`, taken[verb]]));
          },
        })),
        async close() {
          for (const driver of drivers) await driver.close();
          await world.close();
        },
      };
    },
  };
}
