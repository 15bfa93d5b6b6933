import type { Case, Experiment } from '../core/suite.ts';
import { openPods, type PodCase } from './open-pods.ts';

const MS_PER_S = 1000;

export const podStart: Experiment = {
  name: 'pod-start',
  title: 'Pod start to container running',
  method:
    'From the spawn of the first process to the first byte that the container writes, seen by who started it: a shell of ' +
    "busybox in a VM of 1 vCPU and 256 MB without KVM, its root shared by 9p, no volume and no network. berth's side is " +
    '`berth run`: the CLI (Node), the shim, plan, records and probing of the VMM are in it. The other is a QEMU line ' +
    'written by hand, with the same kernel, image and devices, whose guest is told of the same container over the same ' +
    'channels by a client that is loaded already: less cannot start a container in this guest.',
  measures: [{ key: 'start', title: 'pod start', unit: 's' }],
  warmUp: 1,
  rounds: 10,
  async open() {
    const { pods, close } = await openPods();
    return { cases: pods.map(timed), absent: [], close };
  },
};

const timed = ({ name, start }: PodCase): Case => ({
  name,
  async measure() {
    const pod = await start();
    await pod.end();
    return { start: pod.startedMs / MS_PER_S };
  },
});
