import { Fault } from '../../../proto/fault.ts';
import type { NicRoute } from '../../../proto/network-attachment.ts';
import { Attributes, fixedPart } from './attributes.ts';
import type { Netlink } from './connection.ts';
import { addressFamily, formatIpAddress, parseIpAddress, parseIpPrefix } from './ip-address.ts';
import type { LinkRef } from './link.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { MessageBuilder } from './message-builder.ts';

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
/** struct rtmsg: u8 family, destination and source length, tos, table, protocol, scope, type; u32 flags. */
const RTMSG_BYTES = 12;
/** RTA_*, linux/rtnetlink.h. */
const RTA = {
  DST: 1,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  MULTIPATH: 9,
  TABLE: 15,
  VIA: 18,
  CACHEINFO: 12,
  PREF: 20,
  ENCAP: 22,
} as const;
/** RTAX_*; the congestion control is a text, all others are numbers. */
const RTAX_MTU = 2;
const RTAX_CC_ALGO = 16;
const RTAX_MAX = 17;
/** struct rta_cacheinfo: u32 references, s32 last use, s32 ticks until it expires or 0. */
const EXPIRES_AT = 8;
const RTNH_F_ONLINK = 4;
/** A cached exception (a path MTU, a redirect), not a route that somebody made. */
const RTM_F_CLONED = 0x200;
/** `rtm_table` of a number that does not fit: RTA_TABLE has it. */
const RT_TABLE_COMPAT = 252;

/** Where the structure has the table. */
const RTM_TABLE = 4;
/** The kernel's own: it has one for each address. */
const RT_TABLE_LOCAL = 255;
/** In place of a family: all of them in one list. */
const AF_UNSPEC = 0;

/**
 * Routes of every table but `local` that leave by an interface. Throws `unsupported` for one that could be made in no
 * other place, as one with several next hops. `tell` is told in words of what NicRoute cannot say. Of several that differ
 * in nothing by which replaceRoute knows them there is the first, which is the one that the kernel goes by.
 */
export function listRoutes(netlink: Netlink, link: LinkRef, tell: (words: string) => void = () => {}): NicRoute[] {
  const words = `list routes of ${link.name}`;
  const payload = new MessageBuilder().u8(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0).u32(0).finish();
  const routes: NicRoute[] = [];
  for (const { payload: found } of netlink.dump({ words, type: RTM_GETROUTE, flags: 0, payload })) {
    // Most are the kernel's own: not worth reading.
    const parsed = found[RTM_TABLE] === RT_TABLE_LOCAL ? undefined : parseRoute(found);
    if (parsed === undefined || !leavesBy(parsed, link)) continue;
    const { route, untold } = parsed;
    if (untold !== undefined) tell(`route ${route.destination}: ${untold}`);
    if (routes.some((before) => isReplaced(before, route))) tell(`route ${route.destination}: another of its metric`);
    else routes.push(route);
  }
  return routes;
}

/** Whether the kernel takes one for the other. */
const isReplaced = (one: NicRoute, other: NicRoute): boolean =>
  one.destination === other.destination &&
  one.table === other.table &&
  one.metric === other.metric &&
  one.tos === other.tos;

/** Makes a route, or replaces the one of the same destination, table, metric and type of service. */
export function replaceRoute(netlink: Netlink, link: LinkRef, route: NicRoute): void {
  netlink.request(encodeRoute(link, route));
}

export function encodeRoute(link: LinkRef, route: NicRoute): NetlinkRequest {
  const { family, bytes, prefixLength } = parseIpPrefix(route.destination);
  const shortTable = route.table < 256 ? route.table : RT_TABLE_COMPAT;
  const message = new MessageBuilder()
    .u8(addressFamily(family), prefixLength, 0, route.tos ?? 0, shortTable, route.protocol, route.scope, route.type)
    .u32(route.onlink ? RTNH_F_ONLINK : 0)
    .u32Attribute(RTA.TABLE, route.table)
    .u32Attribute(RTA.OIF, link.index);
  if (prefixLength > 0) message.bytesAttribute(RTA.DST, bytes);
  if (route.gateway !== undefined) writeGateway(message, family, route.gateway);
  if (route.source !== undefined) message.bytesAttribute(RTA.PREFSRC, parseIpAddress(route.source).bytes);
  if (route.metric !== undefined) message.u32Attribute(RTA.PRIORITY, route.metric);
  writeMetrics(message, route);
  const via = route.gateway === undefined ? '' : ` via ${route.gateway}`;
  return {
    words: `set route ${route.destination}${via} on ${link.name}`,
    type: RTM_NEWROUTE,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    payload: message.finish(),
  };
}

export interface FoundRoute {
  readonly route: NicRoute;
  /** Indexes of the interfaces by which it leaves; more than one for a multipath route. */
  readonly interfaces: readonly number[];
  /** In words, what `route` does not say and can do without. */
  readonly untold?: string;
  /** In words, what `route` does not say and must: there is no such route in another place. */
  readonly obstacle?: string;
}

/** Undefined for what is not a route of IPv4 or IPv6, or only a cached exception of one. */
export function parseRoute(payload: Uint8Array): FoundRoute | undefined {
  const [rtmFamily, prefixLength = 0, sourceLength = 0, tos = 0, shortTable = 0, protocol = 0, scope = 0, type = 0] =
    payload;
  const family = rtmFamily === addressFamily(4) ? 4 : 6;
  const flags = fixedPart(payload, RTMSG_BYTES).getUint32(8, true);
  if (rtmFamily !== addressFamily(family) || (flags & RTM_F_CLONED) !== 0) return undefined;
  const attributes = new Attributes(payload, RTMSG_BYTES);
  const anywhere = new Uint8Array(family === 4 ? 4 : 16);
  const gateway = parseGateway(attributes);
  const source = attributes.bytes(RTA.PREFSRC);
  const metric = attributes.u32(RTA.PRIORITY);
  const given = attributes.nested(RTA.METRICS);
  const mtu = given?.u32(RTAX_MTU);
  const metrics = given === undefined ? [] : parseMetrics(given);
  const route: NicRoute = {
    family,
    destination: `${formatIpAddress(attributes.bytes(RTA.DST) ?? anywhere)}/${prefixLength}`,
    ...(gateway === undefined ? {} : { gateway }),
    ...(source === undefined ? {} : { source: formatIpAddress(source) }),
    scope,
    type,
    protocol,
    table: attributes.u32(RTA.TABLE) ?? shortTable,
    ...(metric === undefined ? {} : { metric }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(tos === 0 ? {} : { tos }),
    ...(metrics.length === 0 ? {} : { metrics }),
    onlink: (flags & RTNH_F_ONLINK) !== 0,
  };
  const oif = attributes.u32(RTA.OIF);
  const interfaces = oif === undefined ? nextHopInterfaces(attributes.bytes(RTA.MULTIPATH)) : [oif];
  const obstacle = findObstacle(attributes, interfaces, sourceLength);
  const untold = findUntold(attributes, given);
  return {
    route,
    interfaces,
    ...(untold === undefined ? {} : { untold }),
    ...(obstacle === undefined ? {} : { obstacle }),
  };
}

function writeMetrics(message: MessageBuilder, { mtu, metrics = [] }: NicRoute): void {
  if (mtu === undefined && metrics.length === 0) return;
  message.attribute(RTA.METRICS, (nested) => {
    if (mtu !== undefined) nested.u32Attribute(RTAX_MTU, mtu);
    for (const { type, value } of metrics) nested.u32Attribute(type, value);
  });
}

function parseMetrics(given: Attributes): NonNullable<NicRoute['metrics']> {
  const metrics = [];
  for (let type = 1; type <= RTAX_MAX; type += 1) {
    const value = type === RTAX_MTU || type === RTAX_CC_ALGO ? undefined : given.u32(type);
    if (value !== undefined) metrics.push({ type, value });
  }
  return metrics;
}

function findObstacle(attributes: Attributes, interfaces: readonly number[], sourceLength: number): string | undefined {
  if (interfaces.length > 1) return 'several next hops; give it one';
  if (sourceLength > 0) return 'packets of some sources alone; give it all';
  return attributes.bytes(RTA.ENCAP) === undefined ? undefined : 'an encapsulation; give it none';
}

function findUntold(attributes: Attributes, metrics: Attributes | undefined): string | undefined {
  const times = attributes.bytes(RTA.CACHEINFO);
  if (times !== undefined && fixedPart(times, EXPIRES_AT + 4).getInt32(EXPIRES_AT, true) !== 0) return 'its lifetime';
  if ((attributes.bytes(RTA.PREF)?.[0] ?? 0) !== 0) return "its router's preference";
  return metrics?.bytes(RTAX_CC_ALGO) === undefined ? undefined : 'its congestion control';
}

/** The gateway of an IPv4 route may be an IPv6 address (RFC 8950): struct rtvia is u16 family and the address. */
function writeGateway(message: MessageBuilder, family: 4 | 6, gateway: string): void {
  const parsed = parseIpAddress(gateway);
  if (parsed.family === family) message.bytesAttribute(RTA.GATEWAY, parsed.bytes);
  else message.attribute(RTA.VIA, (via) => via.u16(addressFamily(parsed.family)).bytes(parsed.bytes));
}

function parseGateway(attributes: Attributes): string | undefined {
  const bytes = attributes.bytes(RTA.GATEWAY) ?? attributes.bytes(RTA.VIA)?.subarray(2);
  return bytes === undefined ? undefined : formatIpAddress(bytes);
}

/** RTA_MULTIPATH is an array of struct rtnexthop: u16 length with its attributes, u8 flags, u8 hops, i32 interface. */
function nextHopInterfaces(hops: Uint8Array | undefined): number[] {
  const interfaces: number[] = [];
  if (hops === undefined) return interfaces;
  const view = new DataView(hops.buffer, hops.byteOffset, hops.length);
  for (let at = 0; at + 8 <= hops.length; ) {
    interfaces.push(view.getInt32(at + 4, true));
    at += Math.max(8, (view.getUint16(at, true) + 3) & ~3);
  }
  return interfaces;
}

function leavesBy({ interfaces, route, obstacle }: FoundRoute, link: LinkRef): boolean {
  if (!interfaces.includes(link.index)) return false;
  if (obstacle === undefined) return true;
  throw new Fault('unsupported', `route ${route.destination} of ${link.name} has ${obstacle}`);
}
