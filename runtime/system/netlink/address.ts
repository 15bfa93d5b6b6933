import { Fault } from '../../../proto/fault.ts';
import type { NicAddress } from '../../../proto/network-attachment.ts';
import { Attributes, fixedPart } from './attributes.ts';
import { forgiving, type Netlink } from './connection.ts';
import { addressFamily, formatIpAddress, parseIpAddress, parseIpPrefix } from './ip-address.ts';
import type { LinkRef } from './link.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { MessageBuilder } from './message-builder.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
/** struct ifaddrmsg: u8 family, u8 prefix length, u8 flags, u8 scope, u32 interface. */
const IFADDRMSG_BYTES = 8;
/** IFA_*, linux/if_addr.h. */
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, CACHEINFO: 6, FLAGS: 8 } as const;
/** Of IPv6: a privacy extension's, which lives for hours. Of IPv4 the bit means that another of its subnet is first. */
const IFA_F_TEMPORARY = 0x01;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_PERMANENT = 0x80;
const IFA_F_NOPREFIXROUTE = 0x200;
const RT_SCOPE_LINK = 253;
/** INFINITY_LIFE_TIME */
const FOREVER = 0xffffffff;

export interface FoundAddress {
  readonly address: NicAddress;
  /** IFA_F_* */
  readonly flags: number;
}

/**
 * IPv4 and IPv6 addresses of an interface, in the kernel's order: those too that it is still probing for duplicates,
 * but no temporary ones. Throws `precondition` for one that another host has. `tell` is told in words of what
 * NicAddress cannot say.
 */
export function listAddresses(netlink: Netlink, link: LinkRef, tell: (words: string) => void = () => {}): NicAddress[] {
  const payload = new MessageBuilder().u8(0, 0, 0, 0).u32(0).finish();
  const request = { words: `list addresses of ${link.name}`, type: RTM_GETADDR, flags: 0, payload };
  return netlink
    .dump(request)
    .filter((message) => addressInterface(message.payload) === link.index)
    .flatMap((message) => parseAddress(message.payload) ?? [])
    .filter((found) => isLasting(found, link))
    .map(({ address, flags }) => {
      if ((flags & IFA_F_PERMANENT) === 0) tell(`address ${address.address}: its lifetime`);
      return address;
    });
}

export interface AddressOptions {
  /** The kernel makes the route of its subnet. */
  readonly withRoute: boolean;
}

/** The caller brings every route, and knows that nobody else has the address. */
const BARE: AddressOptions = { withRoute: false };

/**
 * Gives the interface an address, or leaves the one that it has. Duplicates are not looked for: it is of use at once.
 */
export function ensureAddress(netlink: Netlink, link: LinkRef, address: NicAddress, options = BARE): void {
  netlink.request(encodeAddress(link, address, options));
}

/** False if the interface has no such address. The routes that need it go too. */
export function ensureNoAddress(netlink: Netlink, link: LinkRef, address: string): boolean {
  const { family, bytes, prefixLength } = parseIpPrefix(address);
  const message = new MessageBuilder().u8(addressFamily(family), prefixLength, 0, 0).u32(link.index);
  const payload = message.bytesAttribute(IFA.LOCAL, bytes).finish();
  const request = { words: `delete address ${address} of ${link.name}`, type: RTM_DELADDR, flags: 0, payload };
  return forgiving(['EADDRNOTAVAIL'], () => netlink.request(request));
}

export function encodeAddress(link: LinkRef, address: NicAddress, options = BARE): NetlinkRequest {
  const local = parseIpPrefix(address.address);
  const message = new MessageBuilder()
    .u8(addressFamily(local.family), local.prefixLength, 0, address.scope)
    .u32(link.index)
    .bytesAttribute(IFA.LOCAL, local.bytes)
    .bytesAttribute(IFA.ADDRESS, address.peer === undefined ? local.bytes : parseIpAddress(address.peer).bytes);
  if (address.broadcast !== undefined) message.bytesAttribute(IFA.BROADCAST, parseIpAddress(address.broadcast).bytes);
  const noProbe = local.family === 6 ? IFA_F_NODAD : 0;
  message.u32Attribute(IFA.FLAGS, (options.withRoute ? 0 : IFA_F_NOPREFIXROUTE) | noProbe);
  // struct ifa_cacheinfo: seconds that it is preferred, seconds that it is valid, and two that the kernel writes.
  if (address.deprecated) message.attribute(IFA.CACHEINFO, (lifetimes) => lifetimes.u32(0, FOREVER, 0, 0));
  return {
    words: `add address ${address.address} to ${link.name}`,
    type: RTM_NEWADDR,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    payload: message.finish(),
  };
}

/** Undefined for a family that is neither IPv4 nor IPv6. */
export function parseAddress(payload: Uint8Array): FoundAddress | undefined {
  const [family = 0, prefixLength = 0, shortFlags = 0, scope = 0] = payload;
  if (family !== addressFamily(4) && family !== addressFamily(6)) return undefined;
  const attributes = new Attributes(payload, IFADDRMSG_BYTES);
  // The other end of a point-to-point address, else the address itself. IPv6 leaves IFA_LOCAL out then.
  const remote = attributes.bytes(IFA.ADDRESS);
  const local = attributes.bytes(IFA.LOCAL) ?? remote;
  if (local === undefined) return undefined;
  const text = formatIpAddress(local);
  const peer = remote === undefined || remote === local ? text : formatIpAddress(remote);
  const broadcast = attributes.bytes(IFA.BROADCAST);
  const flags = attributes.u32(IFA.FLAGS) ?? shortFlags;
  const address: NicAddress = {
    address: `${text}/${prefixLength}`,
    ...(peer === text ? {} : { peer }),
    ...(broadcast === undefined ? {} : { broadcast: formatIpAddress(broadcast) }),
    scope,
    ...((flags & IFA_F_DEPRECATED) === 0 ? {} : { deprecated: true }),
  };
  return { address, flags };
}

function isLasting({ address: { address, scope }, flags }: FoundAddress, { name }: LinkRef): boolean {
  if (!address.includes(':')) return true;
  if ((flags & IFA_F_DADFAILED) === 0) return (flags & IFA_F_TEMPORARY) === 0;
  if (scope === RT_SCOPE_LINK) return false;
  throw new Fault('precondition', `${address} of ${name} is a duplicate: another host on the link has it`);
}

const addressInterface = (payload: Uint8Array): number => fixedPart(payload, IFADDRMSG_BYTES).getUint32(4, true);
