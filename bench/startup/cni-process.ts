import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Experiment } from '../core/suite.ts';
import { type CniCase, openCniCases } from './cni-case.ts';

/** What any program costs here: its figure is part of each of the others. */
const FLOOR = '/bin/true';
/** The kernel goes on working at what ADD did, and a deletion waits for it: right after ADD that would be what DEL takes. */
const POD_LIFE_MS = 200;

export const cniProcess: Experiment = {
  name: 'cni',
  title: 'CNI plugin, whole process',
  method:
    'From the spawn of the plugin until it is reaped, as a container engine executes it: the configuration on standard ' +
    'input, the result on standard output. In each round VERSION (the start alone), ADD and DEL, in a network namespace ' +
    `whose eth0 ptp has made; ptp itself makes and removes its own. Between ADD and DEL the pod lives ${POD_LIFE_MS} ms. ` +
    `${FLOOR} is what any process costs.`,
  measures: [
    { key: 'add', title: 'ADD', unit: 'ms' },
    { key: 'del', title: 'DEL', unit: 'ms' },
    { key: 'version', title: 'VERSION', unit: 'ms' },
  ],
  warmUp: 5,
  rounds: 200,
  async open(context) {
    const { plugins, absent, launcher, close } = await openCniCases(context);
    const floor: Case = {
      name: FLOOR,
      async measure() {
        const { milliseconds } = await launcher.launch({ argv: [FLOOR], env: [], stdin: '', wants: 'time' });
        return { add: milliseconds, del: milliseconds, version: milliseconds };
      },
    };
    return { cases: [...plugins.map(timed), floor], absent, close };
  },
};

const timed = (plugin: CniCase): Case => ({
  name: plugin.name,
  async measure() {
    const version = await plugin.version();
    const add = await plugin.add();
    await sleep(POD_LIFE_MS);
    const del = await plugin.del();
    return { version: version.milliseconds, add: add.milliseconds, del: del.milliseconds };
  },
});
