import type { NicAddress } from '../../../proto/network-attachment.ts';
import { Attributes, fixedPart } from './attributes.ts';
import type { Netlink } from './connection.ts';
import { addressFamily, formatIpAddress, parseIpAddress, parseIpPrefix } from './ip-address.ts';
import type { LinkRef } from './link.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { MessageBuilder } from './message-builder.ts';

const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
/** struct ifaddrmsg: u8 family, u8 prefix length, u8 flags, u8 scope, u32 interface. */
const IFADDRMSG_BYTES = 8;
/** IFA_*, linux/if_addr.h. */
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;

/** IPv4 and IPv6 addresses of an interface, in the kernel's order. */
export function listAddresses(netlink: Netlink, link: LinkRef): NicAddress[] {
  const payload = new MessageBuilder().u8(0, 0, 0, 0).u32(0).finish();
  const request = { words: `list addresses of ${link.name}`, type: RTM_GETADDR, flags: 0, payload };
  return netlink
    .dump(request)
    .filter((message) => addressInterface(message.payload) === link.index)
    .flatMap((message) => parseAddress(message.payload) ?? []);
}

/**
 * Gives the interface an address, or leaves the one that it has. The kernel makes no route for it (the caller brings
 * every route) and, for IPv6, does not look for duplicates.
 */
export function ensureAddress(netlink: Netlink, link: LinkRef, address: NicAddress): void {
  netlink.request(encodeAddress(link, address));
}

export function encodeAddress(link: LinkRef, address: NicAddress): NetlinkRequest {
  const local = parseIpPrefix(address.address);
  const message = new MessageBuilder()
    .u8(addressFamily(local.family), local.prefixLength, 0, address.scope)
    .u32(link.index)
    .bytesAttribute(IFA.LOCAL, local.bytes)
    .bytesAttribute(IFA.ADDRESS, address.peer === undefined ? local.bytes : parseIpAddress(address.peer).bytes);
  if (address.broadcast !== undefined) message.bytesAttribute(IFA.BROADCAST, parseIpAddress(address.broadcast).bytes);
  message.u32Attribute(IFA.FLAGS, IFA_F_NOPREFIXROUTE | (local.family === 6 ? IFA_F_NODAD : 0));
  return {
    words: `add address ${address.address} to ${link.name}`,
    type: RTM_NEWADDR,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    payload: message.finish(),
  };
}

/** Undefined for a family that is neither IPv4 nor IPv6. */
export function parseAddress(payload: Uint8Array): NicAddress | undefined {
  const [family = 0, prefixLength = 0, , scope = 0] = payload;
  if (family !== addressFamily(4) && family !== addressFamily(6)) return undefined;
  const attributes = new Attributes(payload, IFADDRMSG_BYTES);
  // The other end of a point-to-point address, else the address itself. IPv6 leaves IFA_LOCAL out then.
  const remote = attributes.bytes(IFA.ADDRESS);
  const local = attributes.bytes(IFA.LOCAL) ?? remote;
  if (local === undefined) return undefined;
  const text = formatIpAddress(local);
  const peer = remote === undefined ? text : formatIpAddress(remote);
  const broadcast = attributes.bytes(IFA.BROADCAST);
  return {
    address: `${text}/${prefixLength}`,
    ...(peer === text ? {} : { peer }),
    ...(broadcast === undefined ? {} : { broadcast: formatIpAddress(broadcast) }),
    scope,
  };
}

const addressInterface = (payload: Uint8Array): number => fixedPart(payload, IFADDRMSG_BYTES).getUint32(4, true);
