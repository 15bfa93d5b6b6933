import * as v from 'valibot';
import { Fault } from '../proto/fault.ts';
import type { IfName } from '../proto/ids.ts';
import type { NicRoute } from '../proto/network-attachment.ts';
import { decodeWith } from '../proto/record.ts';
import { formatIpAddress, parseIpPrefix } from '../runtime/system/netlink/ip-address.ts';
import { ARPHRD_ETHER } from '../runtime/system/netlink/link.ts';
import type { CniResult } from './chain-input.ts';
import { isNothing } from './config-keys.ts';
import type { PodInterface } from './pod-interface.ts';

/** Of an interface that is not the kernel's: no interface has this index. */
export const NO_INDEX = 0;
const DEFAULT_MTU = 1500;
/** RTN_UNICAST, RTPROT_STATIC, RT_TABLE_MAIN, and the scopes of a route with a gateway and of one without. */
const STATIC_ROUTE = { type: 1, protocol: 4, table: 254, onlink: false } as const;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTAX_ADVMSS = 8;

const text = v.nullish(v.string());
const count = v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0)));
/** Its numbers: since CNI 1.1.0. */
const route = v.object({
  ...{ dst: v.string(), gw: text },
  ...{ mtu: count, advmss: count, priority: count, table: count, scope: count },
});
const reportedResult = v.object({
  interfaces: v.array(v.object({ name: v.string(), sandbox: text, mac: text, mtu: count })),
  ips: v.nullish(v.array(v.object({ address: v.string(), interface: count, gateway: text })), []),
  routes: v.nullish(v.array(route), []),
});

/**
 * The pod's interface as the plugins before describe it, where the kernel has none: behind a vhost-user socket, or of a
 * function that its driver has let go. Throws `invalid` if they do not say what a guest must know.
 */
export function describeReportedInterface(prevResult: CniResult, ifName: IfName): PodInterface {
  const { interfaces, ips, routes } = decodeWith(reportedResult, prevResult, 'prevResult');
  const index = interfaces.findIndex(({ name, sandbox }) => name === ifName && Boolean(sandbox));
  const { mac, mtu } = interfaces[index] ?? {};
  if (!mac) {
    const lack = 'has no mac that the guest could take over';
    const message = `prevResult: interface ${ifName} is not the kernel's, and ${lack}`;
    throw new Fault('invalid', message, { fields: { key: 'prevResult.interfaces' } });
  }
  const link = {
    index: NO_INDEX,
    name: ifName,
    hardwareType: ARPHRD_ETHER,
    up: true,
    mtu: mtu ?? DEFAULT_MTU,
    mac: mac.toLowerCase(),
  };
  const own = ips.filter((ip) => isNothing(ip.interface) || ip.interface === index);
  const gateways = own.flatMap(({ gateway }) => gateway || []);
  return {
    link: { ...link, hasCarrier: true },
    addresses: own.map(({ address }) => ({ address: toPrefix(address), scope: 0 })),
    routes: routes.map((route) => toRoute(route, gateways)),
    neighbours: [],
    qdiscs: {},
    links: [],
    untold: [],
  };
}

/** In the kernel's spelling. */
function toPrefix(address: string): string {
  try {
    const { bytes, prefixLength } = parseIpPrefix(address);
    return `${formatIpAddress(bytes)}/${prefixLength}`;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault('invalid', `prevResult.ips: ${error.message}`, { fields: { key: 'prevResult.ips' } });
  }
}

interface ReportedRoute {
  readonly dst: string;
  readonly gw?: string | null | undefined;
  readonly mtu?: number | null | undefined;
  readonly advmss?: number | null | undefined;
  readonly priority?: number | null | undefined;
  readonly table?: number | null | undefined;
  readonly scope?: number | null | undefined;
}

/** A route without a gateway goes by that of an address of its family (CNI 1.1.0, section 5, "Result Types"). */
function toRoute(route: ReportedRoute, gateways: readonly string[]): NicRoute {
  const { dst, gw, mtu, advmss, priority, table, scope } = route;
  const isIpv6 = dst.includes(':');
  const gateway = gw || gateways.find((one) => one.includes(':') === isIpv6);
  return {
    ...STATIC_ROUTE,
    family: isIpv6 ? 6 : 4,
    destination: dst,
    ...(gateway === undefined ? {} : { gateway }),
    scope: scope ?? (gateway === undefined && !isIpv6 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
    ...(isNothing(table) ? {} : { table }),
    ...(isNothing(priority) ? {} : { metric: priority }),
    ...(isNothing(mtu) ? {} : { mtu }),
    ...(isNothing(advmss) ? {} : { metrics: [{ type: RTAX_ADVMSS, value: advmss }] }),
  };
}
