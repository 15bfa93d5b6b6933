/** Versions of the specification, oldest first. Results before 0.3.0 have another form: there were no chains. */
const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof VERSIONS)[number];

export const isKnownVersion = (text: string): text is CniVersion => VERSIONS.some((known) => known === text);

export const isAtLeast = (version: CniVersion, other: CniVersion): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(other);

export const sorted = (versions: readonly CniVersion[]): CniVersion[] => VERSIONS.filter((v) => versions.includes(v));
