import { ensureQemu10 } from '../../deploy/setup/qemu-10.ts';
import type { Case, Experiment } from '../core/suite.ts';
import { type Guests, openExperiment } from './guests.ts';
import { measureStreams } from './streams.ts';

const MIB = 128;
const STREAMS = 2;

export const queues: Experiment = {
  name: 'network-queues',
  title: 'Queues of a VM’s NIC',
  method:
    `${STREAMS} streams of ${MIB} MiB at once, each way, until both have ended, as in the other experiment: a VM with two ` +
    'vCPUs and two queues, one with two vCPUs and one queue, and one with one of each, all on QEMU 10. Both vCPUs, the ' +
    "thread of QEMU that serves the queues and the node's end share the processors of the machine.",
  measures: [
    { key: 'fromGuest', title: `${STREAMS} × ${MIB} MiB from the guest`, unit: 's' },
    { key: 'toGuest', title: `${STREAMS} × ${MIB} MiB to the guest`, unit: 's' },
  ],
  warmUp: 1,
  rounds: 10,
  open: (context) => openExperiment(context, prepare),
};

const SIZES = [
  { name: 'two', title: '2 queues, 2 vCPUs', vcpus: 2, wirings: [{ queues: 2 }] },
  { name: 'idle', title: '1 queue, 2 vCPUs', vcpus: 2, wirings: [{}] },
  { name: 'one', title: '1 queue, 1 vCPU', vcpus: 1, wirings: [{}] },
] as const;

async function prepare(guests: Guests): Promise<readonly Case[]> {
  const cases: Case[] = [];
  // The machine's may lose a guest of two processors while it boots: see test/support/qemus.ts.
  const qemu = await ensureQemu10();
  for (const { title, ...size } of SIZES) {
    for (const { address } of await guests.add({ ...size, qemu, mib: MIB })) {
      cases.push({ name: title, measure: () => measureStreams(guests.node, address, { mib: MIB, count: STREAMS }) });
    }
  }
  return cases;
}
