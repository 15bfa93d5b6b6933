import { Fault } from '../../proto/fault.ts';
import { parseIpAddress } from './netlink/ip-address.ts';

interface Dns {
  readonly nameservers?: readonly string[] | null | undefined;
  readonly search?: readonly string[] | null | undefined;
  readonly options?: readonly string[] | null | undefined;
}

/**
 * In words, the first entry that resolv.conf(5) cannot hold: a name server that is no address, or a name or an option
 * with white space in it, which would be several, or a line of its own. Undefined: none.
 */
export function findOddDns({ nameservers, search, options }: Dns): string | undefined {
  const server = nameservers?.find((each) => !isNameServer(each));
  if (server !== undefined) return `name server ${JSON.stringify(server)} is no address`;
  const spaced = search?.find(hasWhiteSpace) ?? options?.find(hasWhiteSpace);
  return spaced === undefined ? undefined : `${JSON.stringify(spaced)} has white space in it`;
}

const hasWhiteSpace = (text: string): boolean => /\s/.test(text);

/** That of a link-local one may name its interface: `fe80::1%eth0`. */
function isNameServer(text: string): boolean {
  const [, address = text] = /^(.*:.*)%[^\s%]+$/.exec(text) ?? [];
  try {
    parseIpAddress(address);
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}
