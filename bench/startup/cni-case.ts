import { join } from 'node:path';
import * as v from 'valibot';
import { addNetns, netnsPath } from '../../deploy/demo/netns.ts';
import { decodeWith } from '../../proto/record.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { createWorld } from '../../test/support/world.ts';
import { type Launcher, openLauncher } from '../core/launcher.ts';
import type { AbsentPeer, BenchContext, Peer } from '../core/suite.ts';
import type { LaunchAnswer, LaunchRequest } from '../launcher/protocol.ts';

const DEBIAN_PLUGINS = '/usr/lib/cni';
const IF_NAME = 'eth0';
/** Of the pod whose interface the chained plugins wire. */
const POD = 'pod';
const POD_INTERFACE = {
  type: 'ptp',
  ipam: {
    type: 'host-local',
    dataDir: '/run/cni-ipam',
    routes: [{ dst: '0.0.0.0/0' }],
    ranges: [[{ subnet: '10.88.0.0/24' }]],
  },
};

const settingsSchema = () =>
  v.strictObject({
    /** Wires an interface that another plugin has made. */
    isChained: v.boolean(),
    config: v.looseObject({ type: v.string() }),
  });

/** A CNI plugin, executed as a container engine does, in one pod's network namespace. */
export interface CniCase {
  readonly name: string;
  version(): Promise<LaunchAnswer>;
  add(wants?: LaunchRequest['wants']): Promise<LaunchAnswer>;
  /** With the result of the last ADD. */
  del(): Promise<LaunchAnswer>;
}

export interface CniCases {
  /** berth's plugin first. */
  readonly plugins: readonly CniCase[];
  readonly absent: AbsentPeer[];
  readonly launcher: Launcher;
  close(): Promise<void>;
}

/** A node of its own, with a pod whose eth0 ptp has made, and one more for each plugin that makes its own. */
export async function openCniCases(context: BenchContext): Promise<CniCases> {
  const world = await createWorld();
  const launcher = openLauncher(context.launcher, world.prefix);
  await addNetns(POD, world.prefix);
  const interfaceOf = { name: 'ptp', file: join(DEBIAN_PLUGINS, 'ptp'), config: POD_INTERFACE, netns: POD };
  const made = await cniCase(launcher, interfaceOf).add();
  const prevResult: unknown = JSON.parse(made.stdout);
  const chained = (config: object) => ({ config: { ...config, prevResult }, netns: POD });

  const berth = { name: 'berth', file: join(findPrograms().cniDirectory, 'berth'), ...chained({ type: 'berth' }) };
  const plugins = [cniCase(launcher, berth)];
  const absent: AbsentPeer[] = [];
  for (const peer of context.peers('cni-plugin')) {
    const file = await peer.locate();
    if (file === undefined) {
      absent.push(toAbsent(peer));
      continue;
    }
    const { isChained, config } = decodeWith(settingsSchema(), peer.settings, `settings of ${peer.name}`);
    if (!isChained) await addNetns(peer.name.replaceAll(/\W+/g, '-'), world.prefix);
    const place = isChained ? chained(config) : { config, netns: peer.name.replaceAll(/\W+/g, '-') };
    plugins.push(cniCase(launcher, { name: peer.name, file, ...place }));
  }
  return {
    plugins,
    absent,
    launcher,
    async close() {
      await launcher.close();
      await world.close();
    },
  };
}

const toAbsent = ({ name, wayOut, recordedMinimum }: Peer): AbsentPeer => ({
  name,
  reason: `not on this machine; what brings it: ${wayOut}`,
  recordedMinimum,
});

interface PluginCall {
  readonly name: string;
  readonly file: string;
  readonly config: object;
  readonly netns: string;
}

function cniCase(launcher: Launcher, { name, file, config, netns }: PluginCall): CniCase {
  let result: unknown;
  const call = (command: string, change: object, wants: LaunchRequest['wants'] = 'time') =>
    launcher.launch({
      argv: [file],
      env: [
        `CNI_COMMAND=${command}`,
        `CNI_CONTAINERID=${netns}`,
        `CNI_NETNS=${netnsPath(netns)}`,
        `CNI_IFNAME=${IF_NAME}`,
        `CNI_PATH=${DEBIAN_PLUGINS}`,
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      ],
      stdin: JSON.stringify({ cniVersion: '1.0.0', name: 'bench', ...config, ...change }),
      wants,
    });
  return {
    name,
    version: () => call('VERSION', {}),
    async add(wants) {
      const answer = await call('ADD', {}, wants);
      result = JSON.parse(answer.stdout.slice(answer.stdout.indexOf('{')));
      return answer;
    },
    del: () => call('DEL', { prevResult: result }),
  };
}
