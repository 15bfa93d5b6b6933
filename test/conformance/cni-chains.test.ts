import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { addNetns, inNetns, netnsPath } from '../../deploy/demo/netns.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { needGoTool } from '../support/go-tool.ts';
import { DUAL_STACK_IPAM, REFERENCE_PLUGINS } from '../support/reference-plugins.ts';
import { createWorld, type World } from '../support/world.ts';
import { compareStates, type NetworkState, readNetworkState } from './cni/network-state.ts';

const NETWORK = 'chain';
const { ptp, bridge, macvlan, tuning, firewall } = REFERENCE_PLUGINS;
const STATIC_IPAM = {
  type: 'static',
  addresses: [{ address: '10.89.0.7/24', gateway: '10.89.0.1' }],
  routes: [{ dst: '0.0.0.0/0' }],
};
const BANDWIDTH = { type: 'bandwidth', capabilities: { bandwidth: true } };
const PORTMAP = { type: 'portmap', backend: 'iptables', snat: true, capabilities: { portMappings: true } };
const CAPABILITIES = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
  bandwidth: { ingressRate: 8e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 8e6 },
};
const BERTH = { type: 'berth', capabilities: { bandwidth: true } };

interface Chain {
  readonly name: string;
  readonly plugins: readonly object[];
  /** What of the plugins before must be there beside berth's wiring, on the node. */
  readonly onNode: readonly RegExp[];
  /** An earlier bandwidth plugin shapes already; twice would be half of it. */
  readonly isShapedByBerth?: true;
}

const ALL_OF_PORTMAP = [/-A CNI-HOSTPORT-DNAT .*--dports 8080/, /-A CNI-DN-\S+ .*--dport 8080 -j DNAT/];
const ALL_OF_FIREWALL = [/-A CNI-FORWARD -s 10\.88\.0\.\d+\/32 -j ACCEPT/];
const ALL_OF_BANDWIDTH = [/^qdisc: tbf of veth/, /^link: bwp\w+ ifb/];

const CHAINS: readonly Chain[] = [
  {
    name: 'ptp, bandwidth, portmap, firewall, tuning',
    plugins: [ptp.config, BANDWIDTH, PORTMAP, firewall.config, tuning.config, BERTH],
    onNode: [...ALL_OF_BANDWIDTH, ...ALL_OF_PORTMAP, ...ALL_OF_FIREWALL],
  },
  {
    name: 'bridge, tuning, bandwidth, firewall, portmap',
    plugins: [bridge.config, tuning.config, BANDWIDTH, firewall.config, PORTMAP, BERTH],
    onNode: [...ALL_OF_BANDWIDTH, ...ALL_OF_PORTMAP, ...ALL_OF_FIREWALL],
  },
  {
    name: 'bridge, portmap, then macvtap in place of tc',
    plugins: [bridge.config, PORTMAP, { type: 'berth', mode: 'macvtap' }],
    onNode: ALL_OF_PORTMAP,
  },
  {
    name: 'macvlan with static addresses, tuning, and berth that shapes',
    plugins: [{ ...macvlan.config, ipam: STATIC_IPAM }, tuning.config, BERTH],
    onNode: [],
    isShapedByBerth: true,
  },
  {
    name: 'macvlan with addresses of both families',
    plugins: [{ ...macvlan.config, ipam: DUAL_STACK_IPAM }, { type: 'berth' }],
    onNode: [],
  },
];

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

/** A node with this chain in its configuration, and libcni's own tool to run it. */
async function startChain({ plugins }: Chain, cniVersion: string, context: TestContext) {
  const cnitool = await needGoTool('cnitool', context);
  const path = [dirname(await needGoTool('ptp', context)), findPrograms().cniDirectory].join(':');
  world = await createWorld();
  const { prefix, exec, scratch } = world;
  await exec('sh', '-c', `mkdir -p /var/lib/cni && mount -t tmpfs cni /var/lib/cni; ${macvlan.prepare}`);
  const directory = join(scratch, 'net.d');
  await mkdir(directory);
  await writeFile(join(directory, 'chain.conflist'), JSON.stringify({ cniVersion, name: NETWORK, plugins }));
  for (const pod of ['first', 'pod']) await addNetns(pod, prefix);

  const call = (verb: string, pod: string) => {
    const variables = [`CNI_PATH=${path}`, `NETCONFPATH=${directory}`, `CAP_ARGS=${JSON.stringify(CAPABILITIES)}`];
    const [file = '', ...args] = [...prefix, 'env', ...variables, cnitool, verb, NETWORK, netnsPath(pod)];
    return execa(file, args, { reject: false });
  };
  const run = async (verb: string, pod: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await call(verb, pod);
    expect({ verb, exitCode, said: exitCode === 0 ? '' : stderr }).toEqual({ verb, exitCode: 0, said: '' });
    return stdout;
  };
  const fail = async (verb: string, pod: string): Promise<string> => {
    const { exitCode, stderr } = await call(verb, pod);
    expect({ verb, exitCode }).toEqual({ verb, exitCode: 1 });
    return stderr;
  };
  const state = async (): Promise<{ node: NetworkState; pod: NetworkState }> => ({
    node: await readNetworkState(prefix),
    pod: await readNetworkState([...prefix, ...inNetns('pod')]),
  });
  const files = async (): Promise<string[]> =>
    (await exec('sh', '-c', 'find /run /var/lib/cni -type f -not -path "/run/netns/*"'))
      .split('\n')
      // What host-local keeps of a network: its last reservations and its lock.
      .filter((file) => file !== '' && !/\/(last_reserved_ip\.\d+|lock)$/.test(file));
  return { run, fail, state, files };
}

describe.each(['1.0.0', '1.1.0'])('cnitool runs berth last in a chain of %s', (cniVersion) => {
  it.for(CHAINS)('$name', { timeout: 120_000 }, async (chain, context) => {
    const { run, fail, state, files } = await startChain(chain, cniVersion, context);
    // What plugins make once and share: the bridge, chains of their own.
    await run('add', 'first');
    await run('del', 'first');
    const [before, filesBefore] = [await state(), await files()];
    if (cniVersion === '1.1.0') await run('status', 'pod');

    const result = JSON.parse(await run('add', 'pod'));
    expect(result).toMatchObject({ cniVersion, interfaces: expect.arrayContaining([expect.anything()]) });
    expect(result.interfaces.at(-1)).toMatchObject({ name: expect.stringMatching(/^berth\d+$/) });
    await run('check', 'pod');
    const added = await state();
    for (const line of chain.onNode) expect(added.node).toContainEqual(expect.stringMatching(line));
    const isShaped = added.pod.some((line) => /qdisc: (tbf|htb)/.test(line));
    expect(isShaped).toBe(chain.isShapedByBerth === true);

    await run('del', 'pod');
    await expectAsBefore();
    await run('del', 'pod');

    if (cniVersion === '1.1.0') {
      await run('add', 'pod');
      // libcni deletes what it knows of and nobody lists, then has each plugin collect. cnitool gives no list at all,
      // and without one berth would have to take every pod for gone.
      expect(await fail('gc', 'pod')).toContain('cni.dev/valid-attachments is missing');
      await expectAsBefore();
    }

    async function expectAsBefore(): Promise<void> {
      const after = await state();
      expect(compareStates(before.node, after.node)).toEqual([]);
      expect(compareStates(before.pod, after.pod)).toEqual([]);
      expect(await files()).toEqual(filesBefore);
    }
  });
});
