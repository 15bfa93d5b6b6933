import type { NicNeighbour } from '../../../proto/network-attachment.ts';
import { Attributes, fixedPart } from './attributes.ts';
import type { Netlink } from './connection.ts';
import { addressFamily, formatIpAddress, parseIpAddress } from './ip-address.ts';
import type { LinkRef } from './link.ts';
import { formatMacAddress, parseMacAddress } from './mac-address.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { MessageBuilder } from './message-builder.ts';

const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
/** struct ndmsg: u8 family, three pad bytes, i32 interface, u16 state, u8 flags, u8 type. */
const NDMSG_BYTES = 12;
/** NDA_*, linux/neighbour.h. */
const NDA = { DST: 1, LLADDR: 2 } as const;
const NUD_PERMANENT = 0x80;

/** Neighbours that somebody set for good; those that the kernel learnt are left out. */
export function listPermanentNeighbours(netlink: Netlink, link: LinkRef): NicNeighbour[] {
  const payload = header(0, 0, 0);
  return netlink
    .dump({ words: `list neighbours of ${link.name}`, type: RTM_GETNEIGH, flags: 0, payload: payload.finish() })
    .filter((message) => isPermanentOf(message.payload, link))
    .flatMap((message) => parseNeighbour(message.payload) ?? []);
}

/** Sets a permanent neighbour, or replaces the one of the same address. */
export function replaceNeighbour(netlink: Netlink, link: LinkRef, neighbour: NicNeighbour): void {
  netlink.request(encodeNeighbour(link, neighbour));
}

export function encodeNeighbour(link: LinkRef, neighbour: NicNeighbour): NetlinkRequest {
  const { family, bytes } = parseIpAddress(neighbour.address);
  const message = header(addressFamily(family), link.index, NUD_PERMANENT)
    .bytesAttribute(NDA.DST, bytes)
    .bytesAttribute(NDA.LLADDR, parseMacAddress(neighbour.mac));
  return {
    words: `set neighbour ${neighbour.address} at ${neighbour.mac} on ${link.name}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    payload: message.finish(),
  };
}

/** Undefined for an entry of another family (a bridge's) or without a MAC address. */
export function parseNeighbour(payload: Uint8Array): NicNeighbour | undefined {
  if (payload[0] !== addressFamily(4) && payload[0] !== addressFamily(6)) return undefined;
  const attributes = new Attributes(payload, NDMSG_BYTES);
  const address = attributes.bytes(NDA.DST);
  const mac = formatMacAddress(attributes.bytes(NDA.LLADDR) ?? new Uint8Array(0));
  return address === undefined || mac === undefined ? undefined : { address: formatIpAddress(address), mac };
}

function header(family: number, index: number, state: number): MessageBuilder {
  return new MessageBuilder().u8(family, 0, 0, 0).u32(index).u16(state).u8(0, 0);
}

function isPermanentOf(payload: Uint8Array, link: LinkRef): boolean {
  const view = fixedPart(payload, NDMSG_BYTES);
  return view.getInt32(4, true) === link.index && (view.getUint16(8, true) & NUD_PERMANENT) !== 0;
}
