import { setTimeout } from 'node:timers/promises';
import type { Case, Experiment } from '../core/suite.ts';
import { openPods, type PodCase } from './open-pods.ts';
import { readPssKib, readStatusKib } from './process-memory.ts';

const KIB_PER_MB = 1024;
const GUEST_MIB = 256;
/** What a guest does after its container's start is done by then. */
const REST_MS = 3_000;

export const podMemory: Experiment = {
  name: 'pod-memory',
  title: 'Pod, memory at rest',
  method:
    `Three seconds after the container's first word, in a VM of ${GUEST_MIB} MB. "beyond guest RAM" is the proportional ` +
    "set size of QEMU and shim, less the mapping that is the guest's memory. VmHWM is the most that was resident.",
  measures: [
    { key: 'beyond', title: 'pod beyond guest RAM, PSS', unit: 'MB' },
    { key: 'shimRest', title: 'shim at rest, VmRSS', unit: 'MB' },
    { key: 'shimPeak', title: 'shim, VmHWM', unit: 'MB' },
    { key: 'shimPss', title: 'shim at rest, PSS', unit: 'MB' },
  ],
  warmUp: 0,
  rounds: 5,
  async open() {
    const { pods, close } = await openPods();
    return { cases: pods.map(weighed), absent: [], close };
  },
};

const weighed = ({ name, start }: PodCase): Case => ({
  name,
  async measure() {
    const { vmm, shim, end } = await start();
    await setTimeout(REST_MS);
    const beyond = await readPssKib(vmm, GUEST_MIB);
    const ofShim = shim === undefined ? undefined : await describeShim(shim);
    await end();
    return { beyond: (beyond + (ofShim?.pssKib ?? 0)) / KIB_PER_MB, ...ofShim?.measures };
  },
});

async function describeShim(shim: string) {
  const pssKib = await readPssKib(shim);
  const measures = {
    shimRest: (await readStatusKib(shim, 'VmRSS')) / KIB_PER_MB,
    shimPeak: (await readStatusKib(shim, 'VmHWM')) / KIB_PER_MB,
    shimPss: pssKib / KIB_PER_MB,
  };
  return { pssKib, measures };
}
