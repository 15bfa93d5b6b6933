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
  /** Answers the interfaces of a new VM, in the order of `wirings`. */
  add(options: GuestOptions): Promise<readonly GuestInterface[]>;
}

export interface GuestOptions {
  readonly name: string;
  readonly vcpus: number;
  /** Undefined: the machine's. */
  readonly qemu?: string;
  /** Keys of berth's plugin, for each interface. */
  readonly wirings: readonly Readonly<Record<string, unknown>>[];
  /** Of a stream that the guest serves. */
  readonly mib: number;
}

export interface GuestInterface {
  readonly pod: string;
  readonly name: string;
  readonly address: string;
  readonly list: CniConfigList;
}

/** `prepare` makes the cases; if it fails, nothing is left. */
export async function openExperiment(
  context: BenchContext,
  prepare: (guests: Guests) => Promise<readonly Case[]>,
): Promise<OpenExperiment> {
  const lab = await createLab();
  try {
    const network = await createPodNetwork(lab);
    const node = openLauncher(context.launcher, [...lab.prefix, ...inNetns(PEER)]);
    let count = 0;
    const attach = async (pod: string, name: string, berth: GuestOptions['wirings'][number]) => {
      count += 1;
      const list = configList({ name: `net${count}`, main: { type: 'ptp' }, subnets: [`10.88.${count}.0/24`], berth });
      const [address = ''] = await network.attach(pod, list, name);
      return { pod, name, address, list };
    };
    const add: Guests['add'] = async ({ name: pod, vcpus, qemu, wirings, mib }) => {
      const interfaces: GuestInterface[] = [];
      for (const [index, berth] of wirings.entries()) interfaces.push(await attach(pod, `eth${index}`, berth));
      const flags = [
        '--netns',
        netnsPath(pod),
        '--cpus',
        String(vcpus),
        ...(qemu === undefined ? [] : ['--qemu', qemu]),
      ];
      await serveStreams(await startShellPod(lab, pod, { flags }), mib);
      return interfaces;
    };
    const close = async () => {
      await node.close();
      await lab.close();
    };
    return { cases: await prepare({ network, node, add }), absent: [], close };
  } catch (error) {
    await lab.close();
    throw error;
  }
}
