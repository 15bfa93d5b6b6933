import * as v from 'valibot';
import { Fault } from '../proto/fault.ts';
import { type NetworkName, parseNetworkName } from '../proto/ids.ts';
import { DEFAULT_RUN_DIRECTORY } from '../proto/paths.ts';
import { absolutePath, id } from '../proto/record.ts';
import { LOG_LEVELS, type LogLevel } from '../runtime/system/log.ts';
import { checkKeys, type JsonObject, refuseMisspeltKeys } from './config-keys.ts';
import { type CniVersion, parseCniVersion } from './version.ts';

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
