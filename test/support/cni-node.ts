import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { createCniChain } from '../../deploy/demo/cni-chain.ts';
import { addNetns, deleteNetns, inNetns, netnsPath } from '../../deploy/demo/netns.ts';
import {
  isTap,
  type NetworkAttachment,
  networkAttachmentRecord,
  type TapDevice,
} from '../../proto/network-attachment.ts';
import { runPaths } from '../../proto/paths.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type Iproute2, iproute2 } from '../../runtime/system/node/iproute2.ts';
import { createWorld, type World } from './world.ts';

const NETWORK = 'net';
const HANGS_AFTER_MS = 20_000;
export const KILLED = 128 + 9;
const DEBIAN_PLUGINS = '/usr/lib/cni';
const IPAM = {
  type: 'host-local',
  dataDir: '/run/cni-ipam',
  routes: [{ dst: '0.0.0.0/0' }],
  ranges: [[{ subnet: '10.88.0.0/24' }]],
};
const DUAL_STACK_IPAM = {
  ...IPAM,
  routes: [...IPAM.routes, { dst: '::/0' }],
  ranges: [...IPAM.ranges, [{ subnet: 'fd00:88::/64' }]],
};

/** Debian's plugins that make the interface which berth's plugin wires, as configurations. */
export const MAIN_PLUGINS = {
  ptp: { type: 'ptp', mtu: 1400, ipam: IPAM },
  'ptp, dual-stack': { type: 'ptp', ipam: DUAL_STACK_IPAM },
  bridge: { type: 'bridge', bridge: 'br0', isGateway: true, ipam: IPAM },
  'bridge, dual-stack': { type: 'bridge', bridge: 'br0', isGateway: true, mtu: 1400, ipam: DUAL_STACK_IPAM },
} as const;
export type MainPlugin = keyof typeof MAIN_PLUGINS;

/** What the plugin did when it was executed. */
export interface Called {
  /** 137 when it was killed. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** `stdout`, parsed; undefined if it is empty. */
  readonly answer: unknown;
}

export interface CallChange {
  /** Over the attachment's variables; undefined unsets one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Over the attachment's configuration; undefined removes a key. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** In place of a configuration. */
  readonly stdin?: string | Uint8Array;
  readonly args?: readonly string[];
  /** What runs it. */
  readonly as?: readonly string[];
}

/** A network namespace with an eth0 that a CNI plugin made, and the calls of berth's plugin for it. */
export interface CniPod {
  readonly name: string;
  readonly netns: string;
  readonly prevResult: unknown;
  /** Inside the pod's namespace. */
  readonly tools: Iproute2;
  run(...argv: string[]): Promise<string>;
  berth(command: string, change?: CallChange): Promise<Called>;
  record(): Promise<NetworkAttachment | undefined>;
  /** What of berth's is in the namespace and in the records, one line each. */
  remains(): Promise<string[]>;
  /** Argument prefix that runs a command in its namespace. */
  readonly prefix: readonly string[];
}

/** A node of its own, with pods that Debian's plugins have made. */
export interface CniNode {
  readonly world: World;
  /** On the node's side of the pods' links. */
  readonly tools: Iproute2;
  run(...argv: string[]): Promise<string>;
  addPod(name: string, plugin?: MainPlugin): Promise<CniPod>;
  removeNetns(pod: CniPod): Promise<void>;
  records(): Promise<string[]>;
  close(): Promise<void>;
}

/** `program` is berth's plugin. */
export async function createCniNode(program = join(findPrograms().cniDirectory, 'berth')): Promise<CniNode> {
  const world = await createWorld();
  const { prefix, root } = world;
  const recordDirectory = `${root}${runPaths(world.runDirectory).networks}`;
  const run = async (...argv: string[]): Promise<string> => {
    const [file = '', ...args] = [...prefix, ...argv];
    return (await execa(file, args)).stdout;
  };
  const records = async (): Promise<string[]> => (await readdir(recordDirectory).catch(() => [])).sort();

  return {
    world,
    tools: iproute2(prefix),
    run,
    records,
    async addPod(name, plugin = 'ptp') {
      await addNetns(name, prefix);
      const list = { cniVersion: '1.0.0', name: NETWORK, plugins: [MAIN_PLUGINS[plugin]] };
      const chain = createCniChain({ list, pluginDirectories: [DEBIAN_PLUGINS], prefix });
      const prevResult = await chain.add({ containerId: name, netns: netnsPath(name), ifName: 'eth0' });
      const inside = [...inNetns(name)];
      const tools = iproute2([...prefix, ...inside]);
      const key = `${NETWORK}:${name}:eth0`;
      return {
        name,
        netns: netnsPath(name),
        prevResult,
        tools,
        run: (...argv) => run(...inside, ...argv),
        berth: (command, change) => callBerth({ prefix, program }, name, prevResult, command, change),
        async record() {
          const path = join(recordDirectory, `${key}.json`);
          const text = await readFile(path, 'utf8').catch(() => undefined);
          return text === undefined ? undefined : networkAttachmentRecord.decode(text, path);
        },
        prefix: [...prefix, ...inside],
        remains: async () => [
          ...(await records()).filter((file) => file.startsWith(`${key}.`)),
          ...(await findMarks(tools)),
        ],
      };
    },
    removeNetns: (pod) => deleteNetns(pod.name, prefix),
    close: () => world.close(),
  };
}

/** Of an attachment that has one. */
export function recordedTap(record: NetworkAttachment | undefined): TapDevice {
  if (record !== undefined && isTap(record.device)) return record.device;
  throw new Error('there is no record of a TAP');
}

async function callBerth(
  { prefix, program }: { readonly prefix: readonly string[]; readonly program: string },
  name: string,
  prevResult: unknown,
  command: string,
  { env = {}, config = {}, stdin, args = [], as = [] }: CallChange = {},
): Promise<Called> {
  const variables = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: name,
    CNI_NETNS: netnsPath(name),
    CNI_IFNAME: 'eth0',
    ...env,
  };
  const assignments = Object.entries(variables).flatMap(([key, value]) =>
    value === undefined ? [] : `${key}=${value}`,
  );
  const input = stdin ?? JSON.stringify({ cniVersion: '1.0.0', name: NETWORK, type: 'berth', prevResult, ...config });
  // -i: nothing but these variables, as the plugin's own start-up sees them.
  const [file = '', ...rest] = [...prefix, ...as, 'env', '-i', ...assignments, program, ...args];
  const result = await execa(file, rest, { input, reject: false, timeout: HANGS_AFTER_MS });
  const { stdout, stderr } = result;
  // nsenter ends as its command did.
  const exitCode = result.signal === 'SIGKILL' ? KILLED : result.exitCode;
  if (exitCode !== 0 && exitCode !== 1 && exitCode !== KILLED) throw new Error(`berth ${command}: ${stderr}`);
  return { exitCode, stdout, stderr, answer: stdout === '' ? undefined : JSON.parse(stdout) };
}

/** Links that are ours by alias or name, and filters on eth0, in one namespace. */
async function findMarks(tools: Iproute2): Promise<string[]> {
  const links = await tools.links();
  const ours = links.filter(({ ifalias, ifname }) => ifalias?.startsWith('berth:') || /^berth\d+(-in)?$/.test(ifname));
  const hasEth0 = links.some(({ ifname }) => ifname === 'eth0');
  const filters = hasEth0 ? await tools.ingressFilters('eth0') : [];
  return [...ours.map(({ ifname }) => `link ${ifname}`), ...filters.map(({ pref }) => `filter of priority ${pref}`)];
}
