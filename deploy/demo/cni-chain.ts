import { access } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';
import { decodeWith } from '../../proto/record.ts';
import { run } from '../../runtime/system/node/exec.ts';

/** A network configuration list (CNI 1.0, section 1). */
export interface CniConfigList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly ({ readonly type: string } & Readonly<Record<string, unknown>>)[];
}

const cniResult = v.looseObject({ ips: v.optional(v.array(v.looseObject({ address: v.string() })), []) });
export type CniResult = v.InferOutput<typeof cniResult>;

const cniError = v.object({ code: v.number(), msg: v.string(), details: v.optional(v.string(), '') });

export interface CniAttachmentPoint {
  readonly containerId: string;
  readonly netns: string;
  readonly ifName: string;
}

/** Runs a list of plugins as container engines do (CNI 1.0, section 3): each gets the result of the one before. */
export interface CniChain {
  /** The last plugin's result. Throws Fault `exec` with the plugin's code in `cniCode`. */
  add(point: CniAttachmentPoint): Promise<CniResult>;
  /** In reverse, with the result of `add` if it was this chain's. */
  del(point: CniAttachmentPoint): Promise<void>;
}

export interface CniChainOptions {
  readonly list: CniConfigList;
  /** CNI_PATH, first match wins. */
  readonly pluginDirectories: readonly string[];
  /** Argument prefix that enters the namespaces in which plugins run: the node's side of the links. */
  readonly prefix: readonly string[];
}

export function createCniChain({ list, pluginDirectories, prefix }: CniChainOptions): CniChain {
  const results = new Map<string, CniResult>();

  const call = async (command: string, point: CniAttachmentPoint, index: number, prevResult?: CniResult) => {
    const plugin = list.plugins[index];
    if (plugin === undefined) throw new Fault('internal', `the list has no plugin ${index}`);
    const { cniVersion, name } = list;
    const [file = '', ...args] = [...prefix, await findPlugin(plugin.type, pluginDirectories)];
    const completed = await run({
      file,
      args,
      stdin: new TextEncoder().encode(JSON.stringify({ cniVersion, name, ...plugin, prevResult })),
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        CNI_COMMAND: command,
        CNI_CONTAINERID: point.containerId,
        CNI_NETNS: point.netns,
        CNI_IFNAME: point.ifName,
        CNI_PATH: pluginDirectories.join(':'),
      },
    });
    const stdout = new TextDecoder().decode(completed.stdout);
    if (completed.exitCode !== 0) {
      throw toFault(`${plugin.type} ${command}`, stdout, new TextDecoder().decode(completed.stderr));
    }
    return stdout;
  };

  return {
    async add(point) {
      let result: CniResult | undefined;
      for (const [index, { type }] of list.plugins.entries()) {
        const stdout = await call('ADD', point, index, result);
        result = decodeWith(cniResult, JSON.parse(stdout), `result of ${type}`);
      }
      if (result === undefined) throw new Fault('invalid', `network ${list.name} has no plugins`);
      results.set(point.containerId, result);
      return result;
    },
    async del(point) {
      const result = results.get(point.containerId);
      for (const index of [...list.plugins.keys()].reverse()) await call('DEL', point, index, result);
      results.delete(point.containerId);
    },
  };
}

/** The first of that name. Throws `environment`. */
export async function findPlugin(type: string, directories: readonly string[]): Promise<string> {
  for (const directory of directories) {
    const path = join(directory, type);
    try {
      await access(path);
      return path;
    } catch {
      // Next directory.
    }
  }
  const wayOut = 'Debian\'s package containernetworking-plugins and "npm run build" bring them';
  throw new Fault('environment', `CNI plugin ${type} is in none of ${directories.join(', ')}; ${wayOut}`);
}

/** A plugin that fails prints an error object (CNI 1.0, section 5); one that crashes prints anything. */
function toFault(what: string, stdout: string, stderr: string): Fault {
  try {
    const { code, msg, details } = decodeWith(cniError, JSON.parse(stdout), 'error');
    const message = details === '' ? msg : `${msg}: ${details}`;
    return new Fault('exec', `CNI ${what}: ${message}`, { fields: { cniCode: code, stderr } });
  } catch {
    return new Fault('exec', `CNI ${what} failed without an error object`, { fields: { stdout, stderr } });
  }
}
