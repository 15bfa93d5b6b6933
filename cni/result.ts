import { asFault, describeError } from '../proto/fault.ts';
import type { CniResult } from './chain-input.ts';
import { cniCodeOf, sayWayOut } from './error-codes.ts';
import { type CniVersion, errorVersion } from './version.ts';

export interface TapInterface {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** CNI_NETNS. */
  readonly sandbox: string;
}

/**
 * The result of ADD: what the plugins before reported, and the TAP. Indexes of the interfaces that addresses refer to
 * stay right, because the TAP is last. `mtu` came with 1.1.0.
 */
export function addResult(version: CniVersion, previous: CniResult, tap: TapInterface): CniResult {
  const { mtu, ...described } = tap;
  const added = version === '1.1.0' ? { ...described, mtu } : described;
  const converted = convertResult(previous, version);
  return { ...converted, interfaces: [...converted.interfaces, added] };
}

/**
 * A result in another version, as libcni converts it between the plugins of a chain: from 1.0.0 on addresses have no
 * `version`, and before it interfaces have no more than name, MAC and sandbox. Routes are of one type in all versions.
 * Keys that no version knows stay.
 */
export function convertResult(result: CniResult, version: CniVersion): CniResult {
  const { cniVersion: found = version, interfaces, ips } = result;
  if (isFirstForm(found) === isFirstForm(version)) return { ...result, cniVersion: version };
  const toFirst = isFirstForm(version);
  return {
    ...result,
    cniVersion: version,
    interfaces: toFirst ? interfaces.map(({ mtu, socketPath, pciID, ...rest }) => rest) : interfaces,
    ...(ips && { ips: ips.map(toFirst ? withFamily : ({ version: _, ...rest }) => rest) }),
  };
}

/** 0.3.0 to 0.4.0 have one form, 1.0.0 and 1.1.0 another. */
const isFirstForm = (version: CniVersion): boolean => version.startsWith('0.');

type Ip = NonNullable<CniResult['ips']>[number];
const withFamily = (ip: Ip): Ip => ({ version: ip.address.includes(':') ? '6' : '4', ...ip });

export interface ErrorResult {
  readonly cniVersion: CniVersion;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** `asked` is the cniVersion of the configuration, if it could be read. */
export function errorResult(asked: unknown, thrown: unknown): ErrorResult {
  const fault = sayWayOut(asFault(thrown, 'internal', 'unexpected error'));
  return {
    cniVersion: errorVersion(asked),
    code: cniCodeOf(fault),
    msg: fault.message,
    ...(fault.cause === undefined ? {} : { details: describeError(fault.cause) }),
  };
}
