import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { describeError } from '../../../proto/fault.ts';
import { decodeWith } from '../../../proto/record.ts';
import type { Finding } from './finding.ts';

const PLUGIN = 'berth';
const list = v.looseObject({ name: v.string(), plugins: v.array(v.looseObject({ type: v.string() })) });

/** The plugin's binary, and the networks that chain it. Without either, pods without a network run. */
export async function examineCni(plugin: string, configurations: string): Promise<Finding[]> {
  const binary: Finding = existsSync(plugin)
    ? { area: 'cni', status: 'ok', what: plugin }
    : { area: 'cni', status: 'missing', what: `there is no CNI plugin ${plugin}`, mend: 'npm run build' };
  const names = (await readdir(configurations).catch(() => [])).filter((name) => name.endsWith('.conflist')).sort();
  const chains: Finding[] = [];
  for (const name of names) chains.push(...judgeChain(await readFile(join(configurations, name), 'utf8'), name));
  if (chains.length > 0) return [binary, ...chains];
  const what = `no network in ${configurations} chains the plugin: pods of a container engine get none of berth's`;
  return [binary, { area: 'cni', status: 'note', what, mend: `add {"type": "${PLUGIN}"} last to a list's plugins` }];
}

/** Nothing for a list that is not ours. */
export function judgeChain(text: string, name: string): Finding[] {
  try {
    const { name: network, plugins } = decodeWith(list, JSON.parse(text), name);
    const index = plugins.findIndex(({ type }) => type === PLUGIN);
    if (index < 0) return [];
    if (index > 0 && index === plugins.length - 1) {
      return [{ area: 'cni', status: 'ok', what: `network ${network} (${name}) chains the plugin last` }];
    }
    const what = `network ${network} (${name}) has the plugin at place ${index + 1} of ${plugins.length}; it must be last, and not alone`;
    return [{ area: 'cni', status: 'missing', what, mend: `move {"type": "${PLUGIN}"} to the end of its plugins` }];
  } catch (error) {
    return [{ area: 'cni', status: 'note', what: `${name} cannot be read: ${describeError(error)}` }];
  }
}
