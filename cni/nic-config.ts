import type { NicConfig, NicDns, NicRoute } from '../proto/network-attachment.ts';
import { findOddDns } from '../runtime/system/odd-dns.ts';
import type { CniDns } from './chain-input.ts';
import { keyFault } from './config-keys.ts';
import type { PodInterface } from './pod-interface.ts';

/** What the guest's interface takes over. `mac` is the pod's interface's. */
export function toNicConfig(pod: PodInterface, mac: string, dns: CniDns | undefined): NicConfig {
  return {
    mac,
    mtu: pod.link.mtu,
    addresses: pod.addresses.filter(({ address }) => !isIpv6LinkLocal(address)),
    routes: nearestFirst(pod.routes.filter(isForGuest)),
    neighbours: [...pod.neighbours],
    dns: toNicDns(dns),
  };
}

/** The guest's kernel makes its own link-local address and routes, from the same MAC. */
const isIpv6LinkLocal = (prefix: string): boolean => /^fe[89ab][0-9a-f]:/.test(prefix);

const isForGuest = ({ destination }: NicRoute): boolean =>
  !isIpv6LinkLocal(destination) && !/^ff[0-9a-f]{2}:/.test(destination);

/** A gateway must be reachable when its route is made: routes without one come first, wider scopes last. */
function nearestFirst(routes: readonly NicRoute[]): NicRoute[] {
  return routes.toSorted(
    (left, right) =>
      Number(left.gateway !== undefined) - Number(right.gateway !== undefined) || right.scope - left.scope,
  );
}

function toNicDns(dns: CniDns | undefined): NicDns {
  const search = dns?.search?.length ? dns.search : dns?.domain ? [dns.domain] : [];
  return { nameservers: dns?.nameservers ?? [], search, options: dns?.options ?? [] };
}

/** Throws `invalid` for what the guest's resolv.conf cannot hold. Pods that are no VM's may have it. */
export function refuseOddDns(dns: CniDns | undefined): void {
  const problem = findOddDns(toNicDns(dns));
  if (problem !== undefined) throw keyFault(`dns: ${problem}`, 'dns');
}
