import { Fault } from '../../proto/fault.ts';
import { findOddDns } from '../system/odd-dns.ts';

interface Dns {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** resolv.conf(5); a list that is empty has no line. Throws `invalid` for what would come to be another line. */
export function toResolvConf({ nameservers, search, options }: Dns): string {
  const problem = findOddDns({ nameservers, search, options });
  if (problem !== undefined) throw new Fault('invalid', `dns: ${problem}`);
  const lines = nameservers.map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}
