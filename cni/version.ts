import { Fault } from '../proto/fault.ts';
import { versionFault } from './error-codes.ts';
import type { Verb } from './variables.ts';

/** Oldest first. Before 0.3.0 there was no chaining. */
export const SUPPORTED_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];
const LATEST: CniVersion = '1.1.0';

/** The version that brought a verb (CNI 1.1.0, section 2); others are as old as the oldest supported. */
const SINCE: Partial<Record<Verb, CniVersion>> = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' };

/** Throws `invalid` when it is missing or no text, else the Fault of an incompatible version. */
export function parseCniVersion(value: unknown): CniVersion {
  if (typeof value !== 'string') {
    throw new Fault('invalid', `network configuration: cniVersion: must be one of ${SUPPORTED_VERSIONS.join(', ')}`);
  }
  const version = SUPPORTED_VERSIONS.find((known) => known === value);
  if (version !== undefined) return version;
  throw versionFault(
    `cniVersion ${JSON.stringify(value)} is not supported; supported are ${SUPPORTED_VERSIONS.join(', ')}`,
  );
}

/** Throws the Fault of an incompatible version when `version` does not have `verb`. */
export function refuseVerbBeforeItsTime(verb: Verb, version: CniVersion): void {
  const since = SINCE[verb];
  if (since === undefined || SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(since)) return;
  throw versionFault(`CNI_COMMAND ${verb} came with cniVersion ${since}, but the configuration has ${version}`);
}

/** The answer to VERSION: the asker's version, whatever it is, and ours. */
export const versionResult = (asked: unknown): { cniVersion: string; supportedVersions: readonly string[] } => ({
  cniVersion: typeof asked === 'string' ? asked : LATEST,
  supportedVersions: SUPPORTED_VERSIONS,
});

/** Under which version an error is reported: the asker's, if we know it. */
export const errorVersion = (asked: unknown): CniVersion =>
  SUPPORTED_VERSIONS.find((known) => known === asked) ?? LATEST;
