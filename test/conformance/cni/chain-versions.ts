import { findPlugin } from '../../../deploy/demo/cni-chain.ts';
import { Fault } from '../../../proto/fault.ts';
import { callPlugin } from './called.ts';
import type { JsonObject } from './template.ts';
import { type CniVersion, isAtLeast, isKnownVersion, sorted } from './versions.ts';

/** In which versions a plugin can be looked at. */
export interface ChainVersions {
  /** What its VERSION says, of those that this suite knows results of. Oldest first; empty if it says nothing useful. */
  readonly listed: readonly CniVersion[];
  /** Those of them that the plugins before it know too: an engine has one version for the whole chain. */
  readonly versions: readonly CniVersion[];
  /** The others. */
  readonly untested: readonly UntestedVersion[];
}

export interface UntestedVersion {
  readonly version: CniVersion;
  /** The first plugin before that does not know it. */
  readonly unknownTo: string;
}

/** What is looked at, and where it stands. */
export interface ChainPlace {
  /** Absolute path. */
  readonly plugin: string;
  /** Configurations of the plugins before it in the chain, whose result it gets. Empty: it makes the interface. */
  readonly before: readonly JsonObject[];
  /** CNI_PATH: where those are, and what they delegate to. */
  readonly pluginDirectories: readonly string[];
}

/** Throws `environment` for a program that cannot be executed, and `unsupported` for plugins that share no version. */
export async function readChainVersions(
  { plugin, before, pluginDirectories }: ChainPlace,
  prefix: readonly string[],
): Promise<ChainVersions> {
  const listed = await readVersions(plugin, prefix);
  const others: { readonly type: string; readonly known: readonly CniVersion[] }[] = [];
  for (const type of new Set(before.map((each) => String(each['type'])))) {
    others.push({ type, known: await readVersions(await findPlugin(type, pluginDirectories), prefix) });
  }
  const untested = listed.flatMap((version) => {
    const other = others.find(({ known }) => !known.includes(version));
    return other === undefined ? [] : [{ version, unknownTo: other.type }];
  });
  const versions = listed.filter((version) => untested.every((each) => each.version !== version));
  if (listed.length > 0 && versions.length === 0) throw noSharedVersion(plugin, listed, others);
  return { listed, versions, untested };
}

/** What `env` ends with when it finds no program, or one that the kernel does not run. */
const NOT_EXECUTED = [126, 127];

async function readVersions(plugin: string, prefix: readonly string[]): Promise<CniVersion[]> {
  const stdin = JSON.stringify({ cniVersion: '1.0.0' });
  const called = await callPlugin({ plugin, prefix, variables: { CNI_COMMAND: 'VERSION' }, stdin });
  if (NOT_EXECUTED.includes(called.exitCode) && called.stderr.startsWith('env: ')) {
    throw new Fault('environment', `${plugin} cannot be executed (${called.stderr.trim()}): it is no program`);
  }
  const { supportedVersions = [] } = (called.answer ?? {}) as { supportedVersions?: unknown };
  const known = Array.isArray(supportedVersions) ? supportedVersions.map(String).filter(isKnownVersion) : [];
  return sorted(known).filter((version) => isAtLeast(version, '0.3.0'));
}

function noSharedVersion(
  plugin: string,
  listed: readonly CniVersion[],
  others: readonly { readonly type: string; readonly known: readonly CniVersion[] }[],
): Fault {
  const before = others.map(({ type, known }) => `${type}: ${known.join(', ') || 'none from 0.3.0 on'}`);
  const message = `${plugin} shares no version (${listed.join(', ')}) with the plugins before it (${before.join('; ')})`;
  return new Fault('unsupported', `${message}; --cni-path can name a directory with newer ones`);
}
