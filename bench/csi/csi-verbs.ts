import { createWorld } from '../../test/support/world.ts';
import type { Experiment } from '../core/suite.ts';
import { openDrivers } from './driver.ts';
import { fill, measureVerbs, VERBS } from './verb-times.ts';

interface Setting {
  readonly concurrency: 1 | 16;
  /** Volumes that are there all the while. */
  readonly volumes: 0 | 5000;
}

/** Volumes that each round makes, publishes and deletes. */
const PER_ROUND = { 1: 40, 16: 96 };
/** The warm-up lets Node compile what is measured. Where it has many volumes, a round of the peer takes long. */
const ROUNDS = { 0: { warmUp: 4, rounds: 10 }, 5000: { warmUp: 2, rounds: 6 } };

/** A driver's verbs under a load, as one experiment. */
export function csiVerbs({ concurrency, volumes }: Setting): Experiment {
  const suffix = `${concurrency}${volumes === 0 ? '' : '-full'}`;
  const times = concurrency === 1 ? 'one call at a time' : '16 at a time';
  let round = 0;
  return {
    name: `csi-${suffix}`,
    title: `CSI verbs, ${times}, ${volumes === 0 ? 'an empty driver' : `${volumes} other volumes`}`,
    method:
      `Each round makes ${PER_ROUND[concurrency]} volumes of 16 MiB, publishes, measures, lists 100, unpublishes and ` +
      'deletes them over a unix socket, on the file system of the temporary directory. The client is a process of its ' +
      "own that speaks gRPC by Node's HTTP/2 and decodes every reply; nothing (GetPluginCapabilities), for which no " +
      `driver does anything, tells what client and transport take of each figure. ${
        concurrency === 1
          ? 'A figure is the median of a round.'
          : 'A figure is the time for all calls of a verb by their number: the inverse of its throughput.'
      } berth answers create and delete when an fsync of each file and directory has returned; csi-driver-host-path ` +
      'syncs nothing, and writes one file with the state of all its volumes in each verb that changes one: berth is ' +
      'behind in these two where there are few volumes, by its waits for the journal, and ahead where there are many. ' +
      'To list is, for both, to encode and decode a page, which is what its figure is of.',
    measures: VERBS.map((verb) => ({ key: `${verb}-${suffix}`, title: verb, unit: 'ms' as const })),
    ...ROUNDS[volumes],
    async open(context) {
      const world = await createWorld();
      const { drivers, absent } = await openDrivers(world, context);
      await Promise.all(drivers.map((driver) => fill(driver, volumes)));
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
