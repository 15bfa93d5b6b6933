import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { createCniChain } from '../../../deploy/demo/cni-chain.ts';
import { addNetns, deleteNetns, inNetns, netnsPath } from '../../../deploy/demo/netns.ts';
import { createWorld, type World } from '../../support/world.ts';
import { type Called, callPlugin, describeCall } from './called.ts';
import { type ChainPlace, type ChainVersions, readChainVersions } from './chain-versions.ts';
import { compareStates, type NetworkState, readNetworkState } from './network-state.ts';
import { Problem } from './problem.ts';
import { type CniResult, readResult } from './result-shape.ts';
import { fillTemplate, fillText, type JsonObject } from './template.ts';
import type { CniVersion } from './versions.ts';

export const NETWORK = 'conformance';

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';

/** What is looked at, and what it needs around it. */
export interface SubjectOptions extends ChainPlace {
  /** Of the plugin, as a network configuration list has it; placeholders as in template.ts. */
  readonly config: JsonObject;
  /** A shell command, run on the node before each pod's first plugin; placeholders as in `config`. */
  readonly prepare: string | undefined;
  readonly ifName: string;
}

export interface CallChange {
  readonly version?: string;
  /** Over the attachment's variables; undefined unsets one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Over the attachment's configuration; undefined removes a key. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** In place of a configuration. */
  readonly stdin?: string;
  readonly killAfterMs?: number;
}

/** What of a pod's network can be seen from outside the plugin. */
export interface PodState {
  readonly node: NetworkState;
  /** Undefined when the namespace is gone. */
  readonly pod: NetworkState | undefined;
  /** Files below /run and /var/lib/cni whose name or content has the container's id. */
  readonly files: readonly string[];
}

/** A network namespace of a container, with the interface that the plugins before have made. */
export interface Pod {
  readonly containerId: string;
  readonly netns: string;
  readonly version: CniVersion;
  /** Undefined if the plugin is the first of its chain. */
  readonly prevResult: unknown;
  /** With the `prevResult` that an engine would give: of the plugins before, or of the last `add`. */
  call(verb: Verb, change?: CallChange): Promise<Called>;
  /** ADD that must succeed. Throws Problem. */
  add(change?: CallChange): Promise<CniResult>;
  /** DEL or CHECK that must succeed. Throws Problem. */
  expect(verb: 'DEL' | 'CHECK', change?: CallChange): Promise<void>;
  /** A command that fails where the plugin has not done what it said. Throws Problem. */
  run(...argv: string[]): Promise<string>;
  state(): Promise<PodState>;
  removeNetns(): Promise<void>;
}

export interface Subject extends ChainVersions {
  readonly options: SubjectOptions;
  /** The newest of `versions`. */
  readonly latest: CniVersion;
  readonly isChained: boolean;
  /** A new namespace; the plugins before have run under `version`. Default: the newest. */
  addPod(version?: CniVersion): Promise<Pod>;
  /** The same each time, never wired by a success: for calls that are refused. */
  idlePod(): Promise<Pod>;
  /** A command on the node. */
  run(...argv: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function createSubject(options: SubjectOptions): Promise<Subject> {
  const world = await createWorld();
  try {
    // IPAM plugins and engines keep theirs there by default; the machine's own must not be seen, nor changed.
    await world.exec('sh', '-c', 'mkdir -p /var/lib/cni && mount -t tmpfs berth-conformance /var/lib/cni');
    const versions = await readChainVersions(options, world.prefix);
    return createSubjectIn(world, options, versions);
  } catch (error) {
    await world.close();
    throw error;
  }
}

function createSubjectIn(world: World, options: SubjectOptions, chain: ChainVersions): Subject {
  const latest = chain.versions.at(-1) ?? '1.0.0';
  let pods = 0;
  let idle: Promise<Pod> | undefined;

  async function addPod(version: CniVersion = latest): Promise<Pod> {
    pods += 1;
    const number = pods;
    const containerId = `pod-${number}-of-conformance`;
    const netns = netnsPath(containerId);
    const values = { containerId, netns, number };
    await addNetns(containerId, world.prefix);
    if (options.prepare !== undefined) await world.exec('sh', '-e', '-c', fillText(options.prepare, values));
    const plugins = options.before.map((each) => fillTemplate(each, values) as { type: string } & JsonObject);
    const previous = createCniChain({
      list: { cniVersion: version, name: NETWORK, plugins },
      pluginDirectories: options.pluginDirectories,
      prefix: world.prefix,
    });
    const prevResult =
      plugins.length === 0 ? undefined : await previous.add({ containerId, netns, ifName: options.ifName });
    return createPod(world, options, { ...values, version, prevResult });
  }

  return {
    ...chain,
    options,
    latest,
    isChained: options.before.length > 0,
    addPod,
    idlePod() {
      idle ??= addPod();
      return idle;
    },
    run: (...argv) => world.exec(...argv),
    close: () => world.close(),
  };
}

interface PodFacts {
  readonly containerId: string;
  readonly netns: string;
  readonly number: number;
  readonly version: CniVersion;
  readonly prevResult: unknown;
}

function createPod(world: World, options: SubjectOptions, facts: PodFacts): Pod {
  const { containerId, netns, version, prevResult } = facts;
  const config = fillTemplate(options.config, facts);
  const inside = [...world.prefix, ...inNetns(containerId)];
  /** Of the last successful ADD. */
  let result: unknown;

  const call = async (verb: Verb, change: CallChange = {}): Promise<Called> => {
    const variables = {
      CNI_COMMAND: verb,
      CNI_PATH: options.pluginDirectories.join(':'),
      ...(verb === 'GC' || verb === 'STATUS' || verb === 'VERSION'
        ? {}
        : { CNI_CONTAINERID: containerId, CNI_NETNS: netns, CNI_IFNAME: options.ifName }),
      ...change.env,
    };
    const previous =
      verb === 'ADD' ? prevResult : verb === 'DEL' || verb === 'CHECK' ? (result ?? prevResult) : undefined;
    const whole = { ...config, name: NETWORK, cniVersion: change.version ?? version, prevResult: previous };
    const stdin = change.stdin ?? JSON.stringify({ ...whole, ...change.config });
    const { plugin } = options;
    const { killAfterMs } = change;
    const called = await callPlugin({
      plugin,
      prefix: world.prefix,
      variables,
      stdin,
      ...(killAfterMs === undefined ? {} : { killAfterMs }),
    });
    if (verb === 'ADD' && called.exitCode === 0) result = called.answer;
    return called;
  };

  return {
    containerId,
    netns,
    version,
    prevResult,
    call,
    async add(change) {
      const called = await call('ADD', change);
      if (called.exitCode !== 0) throw new Problem(`ADD: ${describeCall(called)}`);
      const read = readResult(called.answer);
      if (read === undefined) throw new Problem(`ADD answers what is no result: ${describeCall(called)}`);
      return read;
    },
    async expect(verb, change) {
      const called = await call(verb, change);
      if (called.exitCode !== 0) throw new Problem(`${verb}: ${describeCall(called)}`);
      if (called.stdout !== '') throw new Problem(`${verb} prints, but has nothing to say: ${describeCall(called)}`);
    },
    async run(...argv) {
      const [file = '', ...args] = [...inside, ...argv];
      const { failed, stdout, stderr } = await execa(file, args, { reject: false });
      if (failed) throw new Problem(`in the container, "${argv.join(' ')}" fails: ${stderr.trim()}`);
      return stdout;
    },
    state: () => readPodState(world, containerId),
    removeNetns: () => removeNetns(world, containerId),
  };
}

/** A process of the plugin's may hold the namespace for longer: its links are a finding then. */
const GONE_AFTER_MS = 5000;

/** Also waits for the other ends of its links: the kernel takes a deleted namespace apart at its leisure. */
async function removeNetns(world: World, name: string): Promise<void> {
  const list = async (...argv: string[]) => parseList(await world.exec('ip', '-json', ...argv));
  const id = (await list('netns', 'list')).find((each) => each['name'] === name)?.['id'];
  const isPeer = (link: Readonly<Record<string, unknown>>): boolean => id !== undefined && link['link_netnsid'] === id;
  const peers = (await list('link', 'show')).filter(isPeer).map(({ ifindex }) => ifindex);
  await deleteNetns(name, world.prefix);
  const end = Date.now() + GONE_AFTER_MS;
  const hasPeers = async () => (await list('link', 'show')).some(({ ifindex }) => peers.includes(ifindex));
  while ((await hasPeers()) && Date.now() < end) await sleep(20);
}

/** iproute2 prints nothing for an empty answer. */
const parseList = (text: string): Readonly<Record<string, unknown>>[] => (text.trim() === '' ? [] : JSON.parse(text));

async function readPodState(world: World, containerId: string): Promise<PodState> {
  const exists = await world.exec('sh', '-c', `test -e ${netnsPath(containerId)} && echo yes || true`);
  const look = `
find /run /var/lib/cni -path /run/netns -prune -o -name '*${containerId}*' -print
grep --recursive --files-with-matches --fixed-strings --exclude-dir=netns -e ${containerId} /run /var/lib/cni || true`;
  const [node, pod, files] = await Promise.all([
    readNetworkState(world.prefix),
    exists === '' ? undefined : readNetworkState([...world.prefix, ...inNetns(containerId)]),
    world.exec('sh', '-c', look),
  ]);
  return { node, pod, files: [...new Set(files.split('\n').filter((line) => line !== ''))].sort() };
}

/** What differs, a line each. A namespace that is gone by now has nothing in it. */
export function comparePods(before: PodState, after: PodState): string[] {
  const inPod = before.pod === undefined || after.pod === undefined ? [] : compareStates(before.pod, after.pod);
  return [
    ...compareStates(before.node, after.node).map((line) => `node: ${line}`),
    ...inPod.map((line) => `pod: ${line}`),
    ...after.files.filter((path) => !before.files.includes(path)).map((path) => `file: + ${path}`),
  ];
}
