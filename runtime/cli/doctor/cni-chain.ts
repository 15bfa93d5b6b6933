import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { describeError } from '../../../proto/fault.ts';
import { decodeWith } from '../../../proto/record.ts';
import { callCni } from './call-cni.ts';
import type { Finding } from './finding.ts';

const PLUGIN = 'berth';
/** In which the plugin can be asked about a network at all: STATUS came with it. */
const ASKED_IN = '1.1.0';
/** Of a list without any (CNI 1.1.0, section 1). */
const OLDEST_VERSION = '0.1.0';
/** What the kernel lacks is a finding about the kernel. */
const NOT_AVAILABLE = 50;
/** By which a container engine hands on annotations (CNI CONVENTIONS.md). */
const POD_ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';

const list = v.looseObject({
  name: v.string(),
  cniVersion: v.optional(v.string(), OLDEST_VERSION),
  cniVersions: v.optional(v.array(v.string()), []),
  plugins: v.array(v.looseObject({ type: v.string() })),
});

/** What the plugin has against the configuration of a network; undefined: nothing. */
export type AskPlugin = (
  versions: readonly string[],
  config: Readonly<Record<string, unknown>>,
) => Promise<string | undefined>;

/** The plugin's binary, and the networks that chain it. Without either, pods without a network run. */
export async function examineCni(plugin: string, configurations: string): Promise<Finding[]> {
  const isThere = existsSync(plugin);
  const binary: Finding = isThere
    ? { area: 'cni', status: 'ok', what: plugin }
    : { area: 'cni', status: 'missing', what: `there is no CNI plugin ${plugin}`, mend: 'npm run build' };
  const names = (await readdir(configurations).catch(() => [])).filter((name) => name.endsWith('.conflist')).sort();
  const chains: Finding[] = [];
  for (const name of names) {
    const path = join(configurations, name);
    chains.push(...(await examineList(path, isThere ? askPlugin(plugin) : async () => undefined)));
  }
  if (chains.length > 0) return [binary, ...chains];
  const what = `no network in ${configurations} chains the plugin: pods of a container engine get none of berth's`;
  return [binary, { area: 'cni', status: 'note', what, mend: `add {"type": "${PLUGIN}"} last to a list's plugins` }];
}

async function examineList(path: string, ask: AskPlugin): Promise<Finding[]> {
  try {
    return await judgeChain(await readFile(path, 'utf8'), path, ask);
  } catch (error) {
    const what = `${path} cannot be read: ${describeError(error)}`;
    return [{ area: 'cni', status: 'note', what, mend: `correct ${path}, or move it out of there` }];
  }
}

/** Nothing for a list that is not ours. Throws for what is none. */
export async function judgeChain(text: string, path: string, ask: AskPlugin): Promise<Finding[]> {
  const { name, cniVersion, cniVersions, plugins } = decodeWith(list, JSON.parse(text), 'network configuration list');
  const index = plugins.findIndex(({ type }) => type === PLUGIN);
  const entry = plugins[index];
  if (entry === undefined) return [];
  const network = `network ${name} (${path})`;
  if (index === 0 || index < plugins.length - 1) {
    const what = `${network} has the plugin at place ${index + 1} of ${plugins.length}; it must be last, and not alone`;
    return [{ area: 'cni', status: 'missing', what, mend: `move {"type": "${PLUGIN}"} to the end of its plugins` }];
  }
  const problem =
    (await ask([cniVersion, ...cniVersions], { ...entry, name, cniVersion: ASKED_IN })) ?? findLackOfAnnotations(entry);
  if (problem === undefined) return [{ area: 'cni', status: 'ok', what: `${network} chains the plugin last` }];
  const what = `${network} chains the plugin last, but ADD refuses every pod: ${problem}`;
  return [{ area: 'cni', status: 'missing', what, mend: `correct ${path}; docs/network.md has the keys` }];
}

/** ADD sees what the engine hands on; no verb but ADD and CHECK is handed anything. */
function findLackOfAnnotations({ when, capabilities }: Readonly<Record<string, unknown>>): string | undefined {
  if (when === undefined || when === null) return undefined;
  const asked: Readonly<Record<string, unknown>> = Object(capabilities);
  if (asked[POD_ANNOTATIONS] === true) return undefined;
  return `when needs "capabilities": {"${POD_ANNOTATIONS}": true} beside it`;
}

/** Of all verbs, STATUS reads a network's keys as ADD does, and changes nothing. */
const askPlugin =
  (plugin: string): AskPlugin =>
  async (versions, config) => {
    try {
      const { supportedVersions } = await callCni(plugin, { CNI_COMMAND: 'VERSION' }, { cniVersion: ASKED_IN });
      if (!versions.some((version) => supportedVersions.includes(version))) {
        return `cniVersion is ${versions.join(', ')}, and the plugin knows ${supportedVersions.join(', ')}`;
      }
      const { refusal } = await callCni(plugin, { CNI_COMMAND: 'STATUS' }, config);
      return refusal === undefined || refusal.code === NOT_AVAILABLE ? undefined : refusal.message;
    } catch (error) {
      return describeError(error);
    }
  };
