import { execa } from 'execa';
import { type CniChain, type CniConfigList, createCniChain } from '../../deploy/demo/cni-chain.ts';
import { addNetns, deleteNetns, inNetns, netnsPath, PEER } from '../../deploy/demo/netns.ts';
import { type Lab, programs } from './lab.ts';

const PLUGINS = '/usr/lib/cni';

/** Networks of a lab's world: the node's side is the namespace PEER, and each pod has one of its own. */
export interface PodNetwork {
  /** CNI ADD of all of the list; answers the pod's addresses without prefix lengths, in the result's order. */
  attach(pod: string, list: CniConfigList, ifName?: string): Promise<readonly string[]>;
  /** A verb of berth's plugin alone, with the result of `attach`; answers its words. A CHECK that succeeds has none. */
  berth(verb: 'ADD' | 'CHECK' | 'DEL', pod: string, list: CniConfigList, ifName?: string): Promise<string>;
  /** CNI DEL of all of the list. */
  detach(pod: string, list: CniConfigList, ifName?: string): Promise<void>;
  inPod(pod: string, ...argv: string[]): Promise<string>;
  inPeer(...argv: string[]): Promise<string>;
  /** Removes the namespace. */
  remove(pod: string): Promise<void>;
  close(): Promise<void>;
}

export async function createPodNetwork(lab: Lab): Promise<PodNetwork> {
  const { prefix } = lab;
  await addNetns(PEER, prefix);
  const present = new Set<string>();
  const attached = new Map<string, { readonly chain: CniChain; readonly result: unknown }>();
  const key = (pod: string, list: CniConfigList, ifName: string) => `${pod} ${list.name} ${ifName}`;
  const inside = async (namespace: string, argv: readonly string[]): Promise<string> => {
    const [file = '', ...args] = [...prefix, ...inNetns(namespace), ...argv];
    return (await execa(file, args)).stdout;
  };
  return {
    async attach(pod, list, ifName = 'eth0') {
      if (!present.has(pod)) await addNetns(pod, prefix);
      present.add(pod);
      const pluginDirectories = [PLUGINS, programs.cniDirectory];
      const chain = createCniChain({ list, pluginDirectories, prefix: [...prefix, ...inNetns(PEER)] });
      const result = await chain.add({ containerId: pod, netns: netnsPath(pod), ifName });
      attached.set(key(pod, list, ifName), { chain, result });
      return [...new Set(result.ips.map(({ address }) => address.split('/')[0] ?? ''))];
    },
    async berth(verb, pod, list, ifName = 'eth0') {
      const { cniVersion, name, plugins } = list;
      const prevResult = attached.get(key(pod, list, ifName))?.result;
      const variables = { COMMAND: verb, CONTAINERID: pod, NETNS: netnsPath(pod), IFNAME: ifName, PATH: PLUGINS };
      const [file = '', ...args] = [
        ...[...prefix, 'env', '-i', ...Object.entries(variables).map(([name, value]) => `CNI_${name}=${value}`)],
        `${programs.cniDirectory}/berth`,
      ];
      const input = JSON.stringify({ cniVersion, name, ...plugins.at(-1), prevResult });
      return (await execa(file, args, { input, reject: false })).stdout;
    },
    async detach(pod, list, ifName = 'eth0') {
      await attached.get(key(pod, list, ifName))?.chain.del({ containerId: pod, netns: netnsPath(pod), ifName });
    },
    inPod: (pod, ...argv) => inside(pod, argv),
    inPeer: (...argv) => inside(PEER, argv),
    remove: (pod) => deleteNetns(pod, prefix),
    close: () => deleteNetns(PEER, prefix),
  };
}

interface ListOptions {
  readonly name?: string;
  /** Of the plugin that makes the interface. */
  readonly main: Readonly<Record<string, unknown>> & { readonly type: string };
  readonly subnets: readonly string[];
  readonly dns?: unknown;
  /** Keys of berth's plugin. */
  readonly berth?: Readonly<Record<string, unknown>>;
}

/** A list as an operator would write it: berth's plugin comes last. */
export function configList({ name = 'net', main, subnets, dns, berth = {} }: ListOptions): CniConfigList {
  const routes = subnets.map((subnet) => ({ dst: subnet.includes(':') ? '::/0' : '0.0.0.0/0' }));
  const ranges = subnets.map((subnet) => [{ subnet }]);
  const ipam = { type: 'host-local', dataDir: '/run/cni-ipam', ranges, routes };
  const plugins = [
    { ...main, ipam, ...(dns === undefined ? {} : { dns }) },
    { type: 'berth', ...berth },
  ];
  return { cniVersion: '1.0.0', name, plugins };
}
