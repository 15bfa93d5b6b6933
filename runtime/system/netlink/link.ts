import { Attributes, fixedPart } from './attributes.ts';
import { forgiving, type Netlink } from './connection.ts';
import { formatMacAddress } from './mac-address.ts';
import type { NetlinkRequest } from './message.ts';
import { MessageBuilder } from './message-builder.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
/** struct ifinfomsg: u8 family, u8 pad, u16 type, i32 index, u32 flags, u32 change. */
const IFINFOMSG_BYTES = 16;
const IFF_UP = 1;
const AF_INET6 = 10;
/** IFLA_*, linux/if_link.h. */
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINKINFO: 18, IFALIAS: 20, AF_SPEC: 26 } as const;
const IFLA_INFO_KIND = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;

/** ARPHRD_ETHER: frames with MAC addresses. */
export const ARPHRD_ETHER = 1;

/** An interface as requests name it: the kernel goes by the index, people by the name. */
export interface LinkRef {
  readonly index: number;
  readonly name: string;
}

export interface Link extends LinkRef {
  /** ARPHRD_*: of hardware, or what the driver pretends. */
  readonly hardwareType: number;
  readonly up: boolean;
  readonly mtu: number;
  /** Absent where the link layer has no Ethernet addresses. */
  readonly mac?: string;
  /** `veth`, `tun`, `bridge` ...; absent for hardware. */
  readonly kind?: string;
  readonly alias?: string;
}

export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  /** Only while the interface is down. */
  readonly name?: string;
  readonly alias?: string;
  /**
   * The kernel gives the interface no IPv6 link-local address of its own accord. In a request of its own before the one
   * with `up`: the kernel raises the interface first.
   */
  readonly addressGeneration?: 'none';
}

export function listLinks(netlink: Netlink): Link[] {
  const request = { words: 'list interfaces', type: RTM_GETLINK, flags: 0, payload: header(0).finish() };
  return netlink.dump(request).map(({ payload }) => parseLink(payload));
}

export function findLink(netlink: Netlink, name: string): Link | undefined {
  const payload = header(0).textAttribute(IFLA.IFNAME, name).finish();
  return get(netlink, { words: `look up interface ${name}`, type: RTM_GETLINK, flags: 0, payload });
}

export function findLinkByIndex(netlink: Netlink, index: number): Link | undefined {
  const payload = header(index).finish();
  return get(netlink, { words: `look up interface number ${index}`, type: RTM_GETLINK, flags: 0, payload });
}

export function changeLink(netlink: Netlink, link: LinkRef, change: LinkChange): void {
  netlink.request(encodeLinkChange(link, change));
}

/** False if there was no such interface. */
export function ensureNoLink(netlink: Netlink, link: LinkRef): boolean {
  const payload = header(link.index).finish();
  const request = { words: `delete interface ${link.name}`, type: RTM_DELLINK, flags: 0, payload };
  return forgiving(['ENODEV'], () => netlink.request(request));
}

export function encodeLinkChange(link: LinkRef, change: LinkChange): NetlinkRequest {
  const message = header(link.index, change.up);
  if (change.name !== undefined) message.textAttribute(IFLA.IFNAME, change.name);
  if (change.mtu !== undefined) message.u32Attribute(IFLA.MTU, change.mtu);
  if (change.alias !== undefined) message.textAttribute(IFLA.IFALIAS, change.alias);
  if (change.addressGeneration === 'none') {
    message.attribute(IFLA.AF_SPEC, (families) =>
      families.attribute(AF_INET6, (inet6) => inet6.u8Attribute(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)),
    );
  }
  const changes = Object.entries(change).map(([key, value]) => `${key} ${value}`);
  const words = `set ${changes.join(', ')} on interface ${link.name}`;
  return { words, type: RTM_NEWLINK, flags: 0, payload: message.finish() };
}

export function parseLink(payload: Uint8Array): Link {
  const view = fixedPart(payload, IFINFOMSG_BYTES);
  const attributes = new Attributes(payload, IFINFOMSG_BYTES);
  const mac = formatMacAddress(attributes.bytes(IFLA.ADDRESS) ?? new Uint8Array(0));
  const kind = attributes.nested(IFLA.LINKINFO)?.text(IFLA_INFO_KIND);
  const alias = attributes.text(IFLA.IFALIAS);
  return {
    index: view.getInt32(4, true),
    name: attributes.text(IFLA.IFNAME) ?? '',
    hardwareType: view.getUint16(2, true),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    mtu: attributes.u32(IFLA.MTU) ?? 0,
    ...(mac === undefined ? {} : { mac }),
    ...(kind === undefined ? {} : { kind }),
    ...(alias === undefined ? {} : { alias }),
  };
}

function get(netlink: Netlink, request: NetlinkRequest): Link | undefined {
  let link: Link | undefined;
  forgiving(['ENODEV'], () => {
    const [message] = netlink.request(request);
    if (message !== undefined) link = parseLink(message.payload);
  });
  return link;
}

function header(index: number, up?: boolean): MessageBuilder {
  return new MessageBuilder()
    .u8(0, 0)
    .u16(0)
    .u32(index, up ? IFF_UP : 0, up === undefined ? 0 : IFF_UP);
}
