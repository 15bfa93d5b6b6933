import { Fault } from '../../../proto/fault.ts';

export interface IpAddress {
  readonly family: 4 | 6;
  /** Network order: 4 or 16 bytes. */
  readonly bytes: Uint8Array;
}

export interface IpPrefix extends IpAddress {
  readonly prefixLength: number;
}

/** AF_INET and AF_INET6, as rtnetlink's structures name the family. */
export const addressFamily = (family: 4 | 6): number => (family === 4 ? 2 : 10);

/** Reads `10.1.1.2`, `fd00::2` or `::ffff:10.1.1.2`. Throws `invalid`. */
export function parseIpAddress(text: string): IpAddress {
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) throw new Fault('invalid', `${JSON.stringify(text)} is not an IP address`);
  return { family: bytes.length === 4 ? 4 : 6, bytes: Uint8Array.from(bytes) };
}

/** Reads `10.1.1.2/24` or `fd00::2/64`; host bits may be set. Throws `invalid`. */
export function parseIpPrefix(text: string): IpPrefix {
  const [address = '', length = '', ...more] = text.split('/');
  const { family, bytes } = parseIpAddress(address);
  if (more.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) {
    throw new Fault('invalid', `${JSON.stringify(text)} is not an IP address with a prefix length`);
  }
  return { family, bytes, prefixLength: Number(length) };
}

/** The canonical text: RFC 5952 for IPv6. `bytes` are 4 or 16. */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new Fault('malformed', `IP address of ${bytes.length} bytes`);
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12).join('.')}`;
  }
  const { start, length } = longestZeroRun(groups);
  const text = groups.map((group) => group.toString(16));
  if (length < 2) return text.join(':');
  return `${text.slice(0, start).join(':')}::${text.slice(start + length).join(':')}`;
}

function parseIpv4(text: string): number[] | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  // A leading zero would be octal to some readers.
  if (/(^|\.)0\d/.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const parsed = halves.map((half, index) => parseGroups(half, index === halves.length - 1));
  const [head, tail] = parsed;
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 16 ? head : undefined;
  if (tail === undefined || head.length + tail.length > 14) return undefined;
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

/** Bytes of `fd00:1:2`; the last group of an address may be dotted IPv4. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (last && index === groups.length - 1 && group.includes('.')) {
      const dotted = parseIpv4(group);
      if (dotted === undefined) return undefined;
      bytes.push(...dotted);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/** The leftmost of the longest runs, which RFC 5952 section 4.2.3 wants shortened. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; ) {
    let end = start;
    while (groups[end] === 0) end += 1;
    if (end - start > best.length) best = { start, length: end - start };
    start = end + 1;
  }
  return best;
}
