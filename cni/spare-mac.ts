import type { NetworkAttachment } from '../proto/network-attachment.ts';

/** A MAC of its own for an interface that gives this one away: of the local kind, and the same each time. */
export function toSpareMac(mac: string): string {
  const [first = '', ...rest] = mac.split(':');
  const octet = (Number.parseInt(first, 16) | 0x02) ^ 0x04;
  return [octet.toString(16).padStart(2, '0'), ...rest].join(':');
}

/**
 * Whether it can be the interface with this MAC that gave up what the record says: it has the spare one then, or its
 * own where that was not done to the end. The kernel gives the numbers of a namespace that is gone, and of what was in
 * it, to the next one; a MAC is no such number.
 */
export const canHaveGivenUp = ({ nic }: NetworkAttachment, mac: string | undefined): boolean =>
  nic !== undefined && (mac === nic.mac || mac === toSpareMac(nic.mac));
