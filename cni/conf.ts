import * as v from 'valibot';
import { Fault } from '../proto/fault.ts';
import { type NetworkName, parseNetworkName } from '../proto/ids.ts';
import { DEFAULT_RUN_DIRECTORY } from '../proto/paths.ts';
import { absolutePath, id } from '../proto/record.ts';
import { LOG_LEVELS, type LogLevel } from '../runtime/system/log.ts';
import { checkKeys, isNothing, type JsonObject, keyFault, refuseMisspeltKeys } from './config-keys.ts';
import { type CniVersion, parseCniVersion, SUPPORTED_VERSIONS } from './version.ts';

/**
 * The network configuration on standard input (CNI 1.1.0, section 1). Keys of the specification that are not ours to
 * read (`type`, `ipam`, `args`, `capabilities`, `runtimeConfig`) may be there and are not looked at.
 */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly network: NetworkName;
  /** Where records are. Default: /run/berth. */
  readonly runDirectory: string;
  /** Lines on standard error, which container engines show when a plugin fails. Default: warn. */
  readonly logLevel: LogLevel;
}

// Null is what Go writes for what is not there.
const text = v.nullish(v.string());
const texts = v.nullish(v.array(v.string()));

const dns = v.looseObject({ nameservers: texts, domain: text, search: texts, options: texts });
export type CniDns = v.InferOutput<typeof dns>;

/** What is read of a result, in all versions from 0.3.0 to 1.1.0; all else passes through untouched. */
const cniResult = v.looseObject({
  cniVersion: v.optional(v.picklist(SUPPORTED_VERSIONS)),
  interfaces: v.nullish(v.array(v.looseObject({ name: v.string(), sandbox: text, socketPath: text, pciID: text })), []),
  ips: v.nullish(v.array(v.looseObject({ address: v.string(), interface: v.nullish(v.number()) }))),
  dns: v.nullish(dns),
});
export type CniResult = v.InferOutput<typeof cniResult>;

/** What the plugins before have left. */
const chainKeys = v.object({ prevResult: cniResult, dns: v.nullish(dns) });

const networkKeys = v.object({
  name: id((name) => parseNetworkName(name, 'the value')),
  runDir: v.optional(absolutePath, DEFAULT_RUN_DIRECTORY),
  logLevel: v.optional(v.picklist(LOG_LEVELS), 'warn'),
});

/** Writing JSON takes more of the stack than reading it: what ADD reads, it must be able to write into its result. */
const MAX_NESTING = 100;

/** Throws `malformed`. */
export function parseJsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault('malformed', 'the network configuration on standard input is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault('malformed', 'the network configuration on standard input is not a JSON object');
  }
  if (isDeeperThan(value, MAX_NESTING)) {
    throw new Fault('malformed', `the network configuration on standard input is nested deeper than ${MAX_NESTING}`);
  }
  return value as JsonObject;
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeperThan(each, levels - 1));
}

/** Reads what every verb needs. Throws `invalid` naming the key, or the Fault of an incompatible version. */
export function parseNetworkConfig(json: JsonObject): NetworkConfig {
  const cniVersion = parseCniVersion(json['cniVersion']);
  refuseMisspeltKeys(json);
  const { name, runDir, logLevel } = checkKeys(networkKeys, json);
  return { cniVersion, network: name, runDirectory: runDir, logLevel };
}

/** What the plugins before this one in the chain have left. */
export interface ChainInput {
  readonly prevResult: CniResult;
  readonly dns: CniDns | undefined;
}

/** Reads what ADD needs beside. The runtime's name servers go before all others. Throws `invalid` if there is nothing. */
export function parseChainInput(json: JsonObject, asked?: CniDns): ChainInput {
  if (isNothing(json['prevResult'])) {
    throw keyFault(
      'prevResult is missing: berth must be chained after the plugin that makes the interface',
      'prevResult',
    );
  }
  // To a schema of objects, a list is one.
  if (Array.isArray(json['prevResult'])) throw keyFault('prevResult: must be an object', 'prevResult');
  const { prevResult, dns } = checkKeys(chainKeys, json);
  const reported = prevResult.dns?.nameservers?.length ? prevResult.dns : (dns ?? prevResult.dns);
  return { prevResult, dns: asked ?? reported ?? undefined };
}
