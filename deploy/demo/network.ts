import { iproute2 } from '../../runtime/system/node/iproute2.ts';
import { type CniChain, type CniConfigList, createCniChain } from './cni-chain.ts';
import { addNetns, deleteNetns, inNetns, netnsPath, PEER } from './netns.ts';

/** The main plugins of Debian's containernetworking-plugins that the demo and the tests chain berth's plugin to. */
export type MainPlugin = 'ptp' | 'bridge';

const IPAM_DIRECTORY = '/run/cni-ipam';

/** A configuration as an operator would write it: berth's plugin comes last. */
function toConfigList(plugin: MainPlugin): CniConfigList {
  const range = [{ subnet: '10.88.0.0/24' }];
  const ipam = { type: 'host-local', ranges: [range], routes: [{ dst: '0.0.0.0/0' }], dataDir: IPAM_DIRECTORY };
  const main = plugin === 'ptp' ? { type: 'ptp', ipam } : { type: 'bridge', bridge: 'br0', isGateway: true, ipam };
  return { cniVersion: '1.0.0', name: 'demo', plugins: [main, { type: 'berth' }] };
}

export interface PodNetwork {
  readonly netns: string;
  /** IPv4, without prefix length. */
  readonly address: string;
}

/** A node's network in the namespace PEER, with pods that come and go. */
export interface NodeNetwork {
  addPod(name: string): Promise<PodNetwork>;
  /** CNI DEL; answers what of berth's is left in the pod's namespace, and removes that. */
  deletePod(name: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** `prefix` enters the world in which the namespaces live; empty: this process's own. */
export async function createNodeNetwork(
  plugin: MainPlugin,
  pluginDirectories: readonly string[],
  prefix: readonly string[] = [],
): Promise<NodeNetwork> {
  await addNetns(PEER, prefix);
  const chain: CniChain = createCniChain({
    list: toConfigList(plugin),
    pluginDirectories,
    prefix: [...prefix, ...inNetns(PEER)],
  });
  const toPod = (name: string) => ({ containerId: name, netns: netnsPath(name), ifName: 'eth0' });
  return {
    async addPod(name) {
      await addNetns(name, prefix);
      const result = await chain.add(toPod(name));
      const address = result.ips.map((ip) => ip.address.split('/')[0] ?? '').find((one) => !one.includes(':'));
      return { netns: netnsPath(name), address: address ?? '' };
    },
    async deletePod(name) {
      await chain.del(toPod(name));
      const links = await iproute2([...prefix, ...inNetns(name)]).links();
      await deleteNetns(name, prefix);
      return links.filter(({ ifname }) => ifname !== 'lo').map(({ ifname }) => `link ${ifname} of ${name}`);
    },
    close: () => deleteNetns(PEER, prefix),
  };
}
