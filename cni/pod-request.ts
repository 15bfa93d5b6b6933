import { parseCniArgs } from './args.ts';
import { type AskedIdentity, parseCapabilities } from './capabilities.ts';
import { type ChainInput, parseChainInput } from './chain-input.ts';
import type { JsonObject } from './config-keys.ts';
import { type Dialect, parseDialect } from './dialect.ts';
import { parseKataDanDir } from './kata-dan.ts';
import { isChosen, parseWhen, type When } from './when.ts';
import { parseWiringConfig, type WiringConfig } from './wiring-config.ts';

/** What a network's configuration says of every pod. */
export interface NetworkRequest {
  readonly wiring: WiringConfig;
  readonly dialect: Dialect;
  /** Undefined: Kata is told nothing. */
  readonly kataDanDir: string | undefined;
  /** Undefined: every pod is a virtual machine's. */
  readonly when: When | undefined;
}

/** What is asked for one pod. */
export interface PodRequest extends NetworkRequest {
  readonly chain: ChainInput;
  readonly identity: readonly AskedIdentity[];
  /** Whether it is a virtual machine's. What is not is none of our business. */
  readonly isVm: boolean;
}

/** Throws `invalid` naming the key, as both do. */
export function parseNetworkRequest(json: JsonObject): NetworkRequest {
  const wiring = parseWiringConfig(json, {}, undefined);
  return {
    wiring,
    dialect: parseDialect(json, wiring),
    kataDanDir: parseKataDanDir(json, wiring),
    when: parseWhen(json),
  };
}

/** `cniArgs` is the variable CNI_ARGS, which a pod that is no VM may have for others alone. */
export function parsePodRequest(json: JsonObject, cniArgs: string | undefined): PodRequest {
  const capabilities = parseCapabilities(json);
  const when = parseWhen(json);
  const isVm = isChosen(when, capabilities);
  const wiring = parseWiringConfig(json, isVm ? parseCniArgs(cniArgs) : {}, capabilities.bandwidth);
  return {
    wiring,
    dialect: parseDialect(json, wiring),
    kataDanDir: parseKataDanDir(json, wiring),
    when,
    chain: parseChainInput(json, capabilities.dns),
    identity: capabilities.identity,
    isVm,
  };
}
