import type { AgentInterface } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import type { NicAddress, NicRoute } from '../../proto/network-attachment.ts';
import { sys } from '../system/native/sys.ts';
import { ensureAddress } from '../system/netlink/address.ts';
import type { Netlink } from '../system/netlink/connection.ts';
import { changeLink, type Link, listLinks } from '../system/netlink/link.ts';
import { replaceNeighbour } from '../system/netlink/neighbour.ts';
import { replaceRoute } from '../system/netlink/route.ts';
import { awaitFound } from './await-found.ts';
import { writeText } from './files.ts';

const IPV6_SETTINGS = '/proc/sys/net/ipv6/conf';
const NIC_APPEARS_WITHIN_MS = 10_000;

/**
 * Gives the guest's NICs the identity of the pod's interfaces: name, MTU, addresses, routes in the given order, permanent
 * neighbours. Repeatable: what is there already stays.
 */
export async function setUpNetwork(netlink: Netlink, interfaces: readonly AgentInterface[]): Promise<void> {
  const found: { wanted: AgentInterface; link: Link }[] = [];
  for (const wanted of interfaces) found.push({ wanted, link: await awaitNic(netlink, wanted.mac) });
  const strays = found.filter(({ wanted, link }) => wanted.name !== link.name);
  // Two steps, since the kernel may have given the names to one another.
  for (const { link } of strays) changeLink(netlink, link, { up: false });
  for (const { link } of strays) changeLink(netlink, link, { name: `nic${link.index}` });
  for (const { wanted, link } of strays) changeLink(netlink, link, { name: wanted.name });
  for (const { wanted, link } of found) setUpInterface(netlink, wanted, { index: link.index, name: wanted.name });
}

function awaitNic(netlink: Netlink, mac: string): Promise<Link> {
  return awaitFound(`the NIC with MAC address ${mac}`, NIC_APPEARS_WITHIN_MS, () =>
    listLinks(netlink).find((link) => link.mac === mac.toLowerCase()),
  );
}

function setUpInterface(netlink: Netlink, wanted: AgentInterface, link: { index: number; name: string }): void {
  settleIpv6(wanted);
  // Link-local addresses are not among the wanted: the kernel makes one, from the same MAC as the pod's interface had.
  changeLink(netlink, link, { mtu: wanted.mtu });
  for (const address of wanted.addresses) ensureAddress(netlink, link, toNicAddress(address));
  changeLink(netlink, link, { up: true });
  for (const route of wanted.routes) replaceRoute(netlink, link, toNicRoute(route));
  for (const neighbour of wanted.neighbours) replaceNeighbour(netlink, link, neighbour);
}

/**
 * The pod's interface has proved its addresses already: looking for duplicates again would keep the link-local one from
 * use for a second. All addresses and routes come from there: an advertisement, which any neighbour can send, adds none.
 */
function settleIpv6({ name, addresses }: AgentInterface): void {
  const settings = `${IPV6_SETTINGS}/${name}`;
  if (sys.stat(settings) !== null) {
    for (const setting of ['accept_dad', 'accept_ra']) writeText(`${settings}/${setting}`, '0');
    return;
  }
  const ipv6 = addresses.find(({ address }) => address.includes(':'));
  if (ipv6 === undefined) return;
  const message = `${name} of the pod has the address ${ipv6.address}, but the guest's kernel has no IPv6 for it`;
  throw new Fault('unsupported', message, { fields: { address: ipv6.address } });
}

/** On the wire, an empty text or list and a zero are what is absent here. */
export function toNicAddress(given: AgentInterface['addresses'][number]): NicAddress {
  const { address, peer, broadcast, scope, deprecated } = given;
  return {
    address,
    scope,
    ...(peer === '' ? {} : { peer }),
    ...(broadcast === '' ? {} : { broadcast }),
    ...(deprecated ? { deprecated } : {}),
  };
}

export function toNicRoute(route: AgentInterface['routes'][number]): NicRoute {
  const { family, gateway, source, metric, mtu, tos, metrics, ...rest } = route;
  return {
    ...rest,
    family: family === 6 ? 6 : 4,
    ...(gateway === '' ? {} : { gateway }),
    ...(source === '' ? {} : { source }),
    ...(metric === 0 ? {} : { metric }),
    ...(mtu === 0 ? {} : { mtu }),
    ...(tos === 0 ? {} : { tos }),
    ...(metrics.length === 0 ? {} : { metrics }),
  };
}
