import { Fault } from '../../../proto/fault.ts';
import { Attributes, fixedPart } from './attributes.ts';
import { forgiving, hasErrno, type Netlink } from './connection.ts';
import { formatMacAddress, parseMacAddress } from './mac-address.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { MessageBuilder } from './message-builder.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
/** struct ifinfomsg: u8 family, u8 pad, u16 type, i32 index, u32 flags, u32 change. */
const IFINFOMSG_BYTES = 16;
const IFF_UP = 1;
const AF_INET6 = 10;
/** IFLA_*, linux/if_link.h. */
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  EXT_MASK: 29,
  CARRIER: 33,
  PARENT_DEV_NAME: 56,
  PARENT_DEV_BUS_NAME: 57,
} as const;
/** Leaves out what is counted on an interface, which is most of what the kernel would say. */
const RTEXT_FILTER_SKIP_STATS = 8;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
/** Of the kind `tun`. */
const IFLA_TUN = { OWNER: 1, GROUP: 2, TYPE: 3, VNET_HDR: 5, MULTI_QUEUE: 7, NUM_QUEUES: 8, NUM_DISABLED: 9 } as const;
const IFF_TAP = 2;
/** Of the kind `macvtap`. */
const IFLA_MACVLAN_MODE = 1;
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
  /** Of a TAP: somebody has it open. */
  readonly hasCarrier: boolean;
  /** The interface beneath; of a veth, the other end. Its index, which may be in another namespace. */
  readonly lowerIndex?: number;
  /** Where it is on a bus, if the kernel says so: `pci` and `0000:00:02.0`. */
  readonly parent?: { readonly bus: string; readonly name: string };
  /** Of a TAP. */
  readonly tap?: TapState;
  /** Of a macvtap: MACVLAN_MODE_*. */
  readonly macvtapMode?: number;
}

export interface TapState {
  readonly isMultiQueue: boolean;
  readonly hasVnetHeader: boolean;
  /** Of one with several queues: how many are open. */
  readonly openQueues: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  /** Only while the interface is down. */
  readonly name?: string;
  readonly alias?: string;
  readonly mac?: string;
  /**
   * The kernel gives the interface no IPv6 link-local address of its own accord. In a request of its own before the one
   * with `up`: the kernel raises the interface first.
   */
  readonly addressGeneration?: 'none';
}

export function listLinks(netlink: Netlink): Link[] {
  const payload = withoutStatistics(header(0)).finish();
  const request = { words: 'list interfaces', type: RTM_GETLINK, flags: 0, payload };
  return netlink.dump(request).map(({ payload }) => parseLink(payload));
}

export function findLink(netlink: Netlink, name: string): Link | undefined {
  const payload = withoutStatistics(header(0)).textAttribute(IFLA.IFNAME, name).finish();
  return get(netlink, { words: `look up interface ${name}`, type: RTM_GETLINK, flags: 0, payload });
}

export function findLinkByIndex(netlink: Netlink, index: number): Link | undefined {
  const payload = withoutStatistics(header(index)).finish();
  return get(netlink, { words: `look up interface number ${index}`, type: RTM_GETLINK, flags: 0, payload });
}

export function changeLink(netlink: Netlink, link: LinkRef, change: LinkChange): void {
  netlink.request(encodeLinkChange(link, change));
}

export interface NewMacvtap {
  readonly name: string;
  /** The interface that it takes the traffic of. */
  readonly lower: LinkRef;
  /** MACVLAN_MODE_* */
  readonly mode: number;
  /** Undefined: the kernel's choice, which in `passthru` is the lower interface's. */
  readonly mac: string | undefined;
}

/** Throws `exists` where the name is taken. */
export function addMacvtap(netlink: Netlink, link: NewMacvtap): void {
  addLink(netlink, encodeMacvtap(link), 'macvtap');
}

/** An intermediate functional block: a device to queue what comes in by another. Throws `exists` as addMacvtap does. */
export function addIfb(netlink: Netlink, name: string): void {
  const message = header(0).textAttribute(IFLA.IFNAME, name);
  message.attribute(IFLA.LINKINFO, (info) => info.textAttribute(IFLA_INFO_KIND, 'ifb'));
  addLink(netlink, newLink(`add interface ${name}`, message), 'ifb');
}

export function encodeMacvtap({ name, lower, mode, mac }: NewMacvtap): NetlinkRequest {
  const message = header(0).textAttribute(IFLA.IFNAME, name).u32Attribute(IFLA.LINK, lower.index);
  if (mac !== undefined) message.bytesAttribute(IFLA.ADDRESS, parseMacAddress(mac));
  message.attribute(IFLA.LINKINFO, (info) =>
    info
      .textAttribute(IFLA_INFO_KIND, 'macvtap')
      .attribute(IFLA_INFO_DATA, (data) => data.u32Attribute(IFLA_MACVLAN_MODE, mode)),
  );
  return newLink(`add macvtap ${name} to ${lower.name}`, message);
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
  if (change.mac !== undefined) message.bytesAttribute(IFLA.ADDRESS, parseMacAddress(change.mac));
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
  const info = attributes.nested(IFLA.LINKINFO);
  const kind = info?.text(IFLA_INFO_KIND);
  const alias = attributes.text(IFLA.IFALIAS);
  const lowerIndex = attributes.u32(IFLA.LINK);
  const parentName = attributes.text(IFLA.PARENT_DEV_NAME);
  return {
    index: view.getInt32(4, true),
    name: attributes.text(IFLA.IFNAME) ?? '',
    hardwareType: view.getUint16(2, true),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    mtu: attributes.u32(IFLA.MTU) ?? 0,
    ...(mac === undefined ? {} : { mac }),
    ...(kind === undefined ? {} : { kind }),
    ...(alias === undefined ? {} : { alias }),
    hasCarrier: attributes.bytes(IFLA.CARRIER)?.[0] === 1,
    ...(lowerIndex === undefined ? {} : { lowerIndex }),
    ...(parentName === undefined
      ? {}
      : { parent: { bus: attributes.text(IFLA.PARENT_DEV_BUS_NAME) ?? '', name: parentName } }),
    ...ofKind(kind, info),
  };
}

function ofKind(kind: string | undefined, info: Attributes | undefined): Pick<Link, 'tap' | 'macvtapMode'> {
  if (kind === 'macvtap') return { macvtapMode: info?.nested(IFLA_INFO_DATA)?.u32(IFLA_MACVLAN_MODE) ?? 0 };
  const data = kind === 'tun' ? info?.nested(IFLA_INFO_DATA) : undefined;
  if (data === undefined || data.bytes(IFLA_TUN.TYPE)?.[0] !== IFF_TAP) return {};
  const uid = data.u32(IFLA_TUN.OWNER);
  const gid = data.u32(IFLA_TUN.GROUP);
  const tap: TapState = {
    isMultiQueue: data.bytes(IFLA_TUN.MULTI_QUEUE)?.[0] === 1,
    hasVnetHeader: data.bytes(IFLA_TUN.VNET_HDR)?.[0] === 1,
    openQueues: (data.u32(IFLA_TUN.NUM_QUEUES) ?? 0) + (data.u32(IFLA_TUN.NUM_DISABLED) ?? 0),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  };
  return { tap };
}

const newLink = (words: string, message: MessageBuilder): NetlinkRequest => ({
  words,
  type: RTM_NEWLINK,
  flags: NLM_F.CREATE | NLM_F.EXCL,
  payload: message.finish(),
});

/** A kind that the kernel does not know is EOPNOTSUPP. */
function addLink(netlink: Netlink, request: NetlinkRequest, module: string): void {
  try {
    netlink.request(request);
  } catch (cause) {
    if (!hasErrno(cause, 'EOPNOTSUPP')) throw cause;
    const message = `the kernel lacks ${module}; Debian has it in its linux-image package (modprobe ${module})`;
    throw new Fault('environment', message, { cause });
  }
}

function get(netlink: Netlink, request: NetlinkRequest): Link | undefined {
  let link: Link | undefined;
  forgiving(['ENODEV'], () => {
    const [message] = netlink.request(request);
    if (message !== undefined) link = parseLink(message.payload);
  });
  return link;
}

const withoutStatistics = (message: MessageBuilder): MessageBuilder =>
  message.u32Attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);

function header(index: number, up?: boolean): MessageBuilder {
  return new MessageBuilder()
    .u8(0, 0)
    .u16(0)
    .u32(index, up ? IFF_UP : 0, up === undefined ? 0 : IFF_UP);
}
