import { asFault, describeError } from '../proto/fault.ts';
import { cniCodeOf } from './codes.ts';
import type { CniResult } from './conf.ts';
import { type CniVersion, errorVersion } from './version.ts';

export interface TapInterface {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** CNI_NETNS. */
  readonly sandbox: string;
}

/**
 * The result of ADD: what the plugins before reported, as they reported it, and the TAP. Indexes of the interfaces that
 * addresses refer to stay right, because the TAP is last. All supported versions have this shape; `mtu` came with 1.1.0.
 */
export function addResult(version: CniVersion, previous: CniResult, tap: TapInterface): CniResult {
  const { mtu, ...described } = tap;
  const added = version === '1.1.0' ? { ...described, mtu } : described;
  return { ...previous, cniVersion: version, interfaces: [...previous.interfaces, added] };
}

export interface ErrorResult {
  readonly cniVersion: CniVersion;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** `asked` is the cniVersion of the configuration, if it could be read. */
export function errorResult(asked: unknown, thrown: unknown): ErrorResult {
  const fault = asFault(thrown, 'internal', 'unexpected error');
  return {
    cniVersion: errorVersion(asked),
    code: cniCodeOf(fault),
    msg: fault.message,
    ...(fault.cause === undefined ? {} : { details: describeError(fault.cause) }),
  };
}
