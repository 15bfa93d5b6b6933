import { failpoint } from '../runtime/system/failpoint.ts';
import { attempt } from '../runtime/system/native/errors.ts';
import { O, sys } from '../runtime/system/native/sys.ts';
import { withOpen } from '../runtime/system/native/with-open.ts';
import type { LinkChange, LinkRef } from '../runtime/system/netlink/link.ts';

/** Of the network namespace that the process is in. */
const IPV6_SETTINGS = '/proc/sys/net/ipv6/conf';

/** A host without IPv6 has nothing to silence. */
const hostHasIpv6 = (): boolean => sys.stat(IPV6_SETTINGS) !== null;

/** For an interface on which the host's own stack is to have no address. */
export const unaddressed = (): LinkChange => (hostHasIpv6() ? { addressGeneration: 'none' } : {});

/**
 * Keeps the host's own stack from speaking on an interface whose other end is the guest: without this it would send
 * router solicitations and multicast reports into it. Before the interface is up, and besides unaddressed.
 */
export function silenceLink(link: LinkRef): void {
  if (hostHasIpv6()) switchIpv6(link, false);
}

/** Whether the interface has IPv6 switched on. */
export function hasIpv6({ name }: Pick<LinkRef, 'name'>): boolean {
  const path = pathOf(name);
  return sys.stat(path) !== null && sys.utf8Decode(sys.readFile(path)).trim() === '0';
}

/** Off: its IPv6 addresses and routes go. On: the kernel gives it a link-local address again, if it is up. */
export function switchIpv6({ name }: Pick<LinkRef, 'name'>, on: boolean): void {
  const path = pathOf(name);
  attempt(`could not write ${path}`, () =>
    withOpen(path, O.WRONLY, (fd) => sys.write(fd, sys.utf8Encode(on ? '0' : '1'))),
  );
  failpoint('sysctl.written');
}

const pathOf = (name: string): string => `${IPV6_SETTINGS}/${name}/disable_ipv6`;
