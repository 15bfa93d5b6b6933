import type { NetworkAttachment, NicAddress, NicConfig } from '../proto/network-attachment.ts';
import { ensureAddress, ensureNoAddress, listAddresses } from '../runtime/system/netlink/address.ts';
import { forgiving, type Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, type Link, type LinkRef } from '../runtime/system/netlink/link.ts';
import { replaceNeighbour } from '../runtime/system/netlink/neighbour.ts';
import { replaceRoute } from '../runtime/system/netlink/route.ts';
import { hasIpv6, switchIpv6 } from './silence-link.ts';
import { canHaveGivenUp } from './spare-mac.ts';

const NO_WAY = ['ENETDOWN', 'ENETUNREACH', 'EHOSTUNREACH', 'EINVAL'];
/** RTPROT_KERNEL: a route that came with an address. */
const RTPROT_KERNEL = 2;

/** Takes its MAC and addresses off an interface, so that nobody but the guest has them. Its routes go with them. */
export function giveUpIdentity(netlink: Netlink, link: LinkRef, spareMac: string): void {
  if (hasIpv6(link)) switchIpv6(link, false);
  for (const { address } of listAddresses(netlink, link)) ensureNoAddress(netlink, link, address);
  changeLink(netlink, link, { mac: spareMac });
}

/** Gives back what the record says that the interface gave up. After the device that had it is gone. */
export function restoreIdentity(netlink: Netlink, link: Link, record: NetworkAttachment): void {
  const { nic, gaveUp } = record;
  if (nic === undefined || gaveUp === undefined || !canHaveGivenUp(record, link.mac)) return;
  changeLink(netlink, link, { mac: nic.mac });
  if (gaveUp.hadIpv6) switchIpv6(link, true);
  for (const address of nic.addresses) {
    ensureAddress(netlink, link, address, { withRoute: hadRoute(nic, address) });
  }
  // A pod that others are taking down too may have no place for them any more: its interface is down.
  for (const route of nic.routes) forgiving(NO_WAY, () => replaceRoute(netlink, link, route));
  for (const neighbour of nic.neighbours) forgiving(NO_WAY, () => replaceNeighbour(netlink, link, neighbour));
}

/** Whether the kernel had made the route of an address's subnet; it makes none for a lone IPv4 address. */
function hadRoute({ routes }: NicConfig, { address }: NicAddress): boolean {
  const length = address.slice(address.indexOf('/'));
  if (length === '/32') return true;
  const family = address.includes(':') ? 6 : 4;
  return routes.some(
    (route) => route.family === family && route.protocol === RTPROT_KERNEL && route.destination.endsWith(length),
  );
}
