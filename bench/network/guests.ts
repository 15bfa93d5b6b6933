import type { CniConfigList } from '../../deploy/demo/cni-chain.ts';
import { inNetns, netnsPath, PEER } from '../../deploy/demo/netns.ts';
import { createLab } from '../../test/support/lab.ts';
import { configList, createPodNetwork, type PodNetwork } from '../../test/support/pod-network.ts';
import { startShellPod } from '../../test/support/shell-pod.ts';
import { type Launcher, openLauncher } from '../core/launcher.ts';
import type { BenchContext, Case, OpenExperiment } from '../core/suite.ts';
import { serveStreams } from './streams.ts';

/** VMs that serve streams, and the node's side of their links, in a world of their own. */
export interface Guests {
  readonly network: PodNetwork;
  /** Runs what is measured in the node's namespace. */
  readonly node: Launcher;
  add(options: GuestOptions): Promise<Guest>;
  close(): Promise<void>;
}

export interface GuestOptions {
  readonly name: string;
  readonly vcpus: number;
  /** Keys of berth's plugin. */
  readonly wiring: Readonly<Record<string, unknown>>;
  /** Of a stream that the guest serves. */
  readonly mib: number;
}

export interface Guest {
  readonly name: string;
  readonly address: string;
  readonly list: CniConfigList;
}

/** `prepare` makes the cases; if it fails, nothing is left. */
export async function openExperiment(
  context: BenchContext,
  prepare: (guests: Guests) => Promise<readonly Case[]>,
): Promise<OpenExperiment> {
  const guests = await openGuests(context);
  try {
    return { cases: await prepare(guests), absent: [], close: () => guests.close() };
  } catch (error) {
    await guests.close();
    throw error;
  }
}

async function openGuests(context: BenchContext): Promise<Guests> {
  const lab = await createLab();
  const network = await createPodNetwork(lab);
  const node = openLauncher(context.launcher, [...lab.prefix, ...inNetns(PEER)]);
  let count = 0;
  return {
    network,
    node,
    async add({ name, vcpus, wiring, mib }) {
      count += 1;
      const list = configList({
        name: `net${count}`,
        main: { type: 'ptp' },
        subnets: [`10.88.${count}.0/24`],
        berth: wiring,
      });
      const [address = ''] = await network.attach(name, list);
      const flags = ['--netns', netnsPath(name), '--cpus', String(vcpus)];
      await serveStreams(await startShellPod(lab, name, { flags }), mib);
      return { name, address, list };
    },
    async close() {
      await node.close();
      await lab.close();
    },
  };
}
