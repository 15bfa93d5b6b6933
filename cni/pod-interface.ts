import { Fault } from '../proto/fault.ts';
import type { NicAddress, NicNeighbour, NicRoute } from '../proto/network-attachment.ts';
import { listAddresses } from '../runtime/system/netlink/address.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { type Link, listLinks } from '../runtime/system/netlink/link.ts';
import { listPermanentNeighbours } from '../runtime/system/netlink/neighbour.ts';
import { findQdiscs, type Qdiscs } from '../runtime/system/netlink/qdisc.ts';
import { listRoutes } from '../runtime/system/netlink/route.ts';

/** The pod's interface as the plugins before have left it, and what else is in its namespace. */
export interface PodInterface {
  readonly link: Link;
  readonly addresses: readonly NicAddress[];
  /** Of every table but `local`, those that the kernel made too. */
  readonly routes: readonly NicRoute[];
  readonly neighbours: readonly NicNeighbour[];
  readonly qdiscs: Qdiscs;
  readonly links: readonly Link[];
  /** In words, what a guest cannot be told of addresses and routes. */
  readonly untold: readonly string[];
}

/**
 * Reads only. `reported` stands in for an interface that is not the kernel's. Throws `not-found` if there is neither it
 * nor one of that name in the namespace.
 */
export function describePodInterface(
  netlink: Netlink,
  ifName: string,
  reported: () => PodInterface | undefined,
): PodInterface {
  const links = listLinks(netlink);
  const link = links.find(({ name }) => name === ifName);
  if (link === undefined) {
    const other = reported();
    if (other !== undefined) return other;
    const present = links.map(({ name }) => name).join(', ');
    throw new Fault('not-found', `CNI_IFNAME: the network namespace has no interface ${ifName}; it has ${present}`);
  }
  const untold: string[] = [];
  const tell = (words: string) => untold.push(words);
  return {
    link,
    addresses: listAddresses(netlink, link, tell),
    routes: listRoutes(netlink, link, tell),
    neighbours: listPermanentNeighbours(netlink, link),
    qdiscs: findQdiscs(netlink, link),
    links,
    untold,
  };
}
