import { parseAskedAddress, withoutPrefix } from './capabilities.ts';
import type { CniResult } from './chain-input.ts';
import { isNothing } from './config-keys.ts';

/** As they were reported, of the pod's interface or of no interface. */
export function listReported({ interfaces, ips }: CniResult, ifName: string): string[] {
  const ofPod = (ips ?? []).filter(({ interface: index }) => {
    if (isNothing(index)) return true;
    const found = interfaces[index];
    return found?.name === ifName && Boolean(found.sandbox);
  });
  return ofPod.map(({ address }) => address);
}

/** Those of them that are not `present`, which has the kernel's spelling. Throws `invalid` for what is no address. */
export function findMissing(reported: readonly string[], present: readonly string[]): string[] {
  const isThere = (address: string): boolean => present.includes(address);
  return reported
    .filter((address) => !isThere(withoutPrefix(address)))
    .map((address) => parseAskedAddress('prevResult.ips', address))
    .filter((address) => !isThere(address));
}

/** Whose interface the result does not have: nobody's. */
export const listUnplaced = ({ interfaces, ips }: CniResult): string[] =>
  (ips ?? [])
    .filter(({ interface: index }) => !isNothing(index) && interfaces[index] === undefined)
    .map(({ address }) => address);
