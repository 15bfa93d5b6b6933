import { failpoint } from '../runtime/system/failpoint.ts';
import { attempt, forgive } from '../runtime/system/native/errors.ts';
import { O, sys } from '../runtime/system/native/sys.ts';
import { withOpen } from '../runtime/system/native/with-open.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, type Link, type LinkChange, type LinkRef } from '../runtime/system/netlink/link.ts';

/** Of the network namespace that the process is in. */
const IPV6_SETTINGS = '/proc/sys/net/ipv6/conf';

/** IPV6_MIN_MTU: with less the kernel has no IPv6 on an interface, and refuses what is asked of it. */
const LEAST_IPV6_MTU = 1280;

/** For an interface of that MTU, on which the host's own stack is to have no address. */
export const unaddressed = (mtu: number): LinkChange =>
  mtu >= LEAST_IPV6_MTU && sys.stat(IPV6_SETTINGS) !== null ? { addressGeneration: 'none' } : {};

/**
 * Keeps the host's own stack from speaking on an interface whose other end is the guest: without this it would send
 * router solicitations and multicast reports into it. Before the interface is up, and besides unaddressed. A host, or
 * an interface, without IPv6 has nothing to silence.
 */
export function silenceLink(link: LinkRef): void {
  forgive(['ENOENT'], undefined, () => switchIpv6(link, false));
}

/**
 * Before an interface that is there is given another MTU. One that had too little for IPv6 comes to have it, and while
 * it is up the host's own stack would speak on it at once.
 */
export function lowerForIpv6(netlink: Netlink, link: Link, mtu: number): void {
  if (link.mtu >= LEAST_IPV6_MTU || mtu < LEAST_IPV6_MTU) return;
  changeLink(netlink, link, { up: false });
  changeLink(netlink, link, { mtu });
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
