import { createWorld } from '../../test/support/world.ts';
import type { Experiment } from '../core/suite.ts';
import { openBerth } from './driver.ts';
import { fill, measureVerbs, VERBS } from './verb-times.ts';

/** The first is what the others are compared with. */
const VOLUMES = [10_000, 10];
const PER_ROUND = 40;

let round = 0;

/** What the volumes that are there already cost: the same driver with many of them and with few, as one experiment. */
export const csiScale: Experiment = {
  name: 'csi-scale',
  title: 'CSI driver with 10,000 volumes, beside one with 10',
  method:
    'Two drivers of berth, each on a pool of its own. In each round each is stopped and started again: start-up is ' +
    'from the spawn of the process to its first reply, Node itself and the reading of all records in it (they are in ' +
    `the page cache). Then as with an empty driver, one call at a time: ${PER_ROUND} volumes of 16 MiB, once ` +
    `unmeasured, as the process is new, and once measured. A page has 100 entries where there are as many, else ${PER_ROUND + 10}.`,
  measures: ['start-up', ...VERBS].map((key) => ({ key, title: key, unit: 'ms' as const })),
  warmUp: 1,
  rounds: 6,
  async open() {
    const world = await createWorld();
    const drivers = await Promise.all(
      VOLUMES.map(async (count) => {
        const driver = await openBerth(world, `${count.toLocaleString('en')} volumes`);
        await fill(driver, count);
        return driver;
      }),
    );
    return {
      absent: [],
      cases: drivers.map((driver) => ({
        name: driver.name,
        async measure() {
          const startUp = await driver.restart();
          const measured = () => {
            round += 1;
            return measureVerbs(driver, { prefix: `bench-${round}`, count: PER_ROUND, concurrency: 1 });
          };
          await measured();
          return { 'start-up': startUp, ...(await measured()) };
        },
      })),
      async close() {
        for (const driver of drivers) await driver.close();
        await world.close();
      },
    };
  },
};
