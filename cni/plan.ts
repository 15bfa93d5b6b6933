import { Fault } from '../proto/fault.ts';
import { type IfName, type NetworkName, parseIfName } from '../proto/ids.ts';
import {
  type NetworkAttachment,
  type NicConfig,
  type NicDns,
  type NicRoute,
  networkAttachmentKey,
  tapAlias,
} from '../proto/network-attachment.ts';
import { ARPHRD_ETHER, type Link } from '../runtime/system/netlink/link.ts';
import type { CniDns } from './conf.ts';
import type { PodAttachment } from './env.ts';
import type { PodInterface } from './pod-interface.ts';
import type { WiringConfig } from './wiring-config.ts';

export interface AddRequest {
  readonly network: NetworkName;
  readonly attachment: PodAttachment;
  /** `dev:inode` of the namespace. */
  readonly netnsId: string;
  readonly bootId: string;
  readonly dns: CniDns | undefined;
  readonly wiring: WiringConfig;
}

/** One change of ADD. Each leaves what it finds done, so that ADD can be repeated after a crash at any point. */
export type Step =
  | { readonly do: 'record-wiring' }
  | { readonly do: 'make-tap'; readonly tap: IfName; readonly alias: string }
  | { readonly do: 'raise-tap'; readonly tap: IfName; readonly mtu: number }
  | { readonly do: 'add-ingress'; readonly to: IfName }
  | { readonly do: 'redirect'; readonly from: IfName; readonly to: IfName }
  | { readonly do: 'record-ready' };

export interface AddPlan {
  /** The record, as it is written before the first change. */
  readonly wiring: NetworkAttachment;
  /** What the record says beside, once all is done. */
  readonly nic: NicConfig;
  readonly steps: readonly Step[];
}

/** Of a netkit in L3 mode, which calls itself Ethernet. */
const NO_MAC = '00:00:00:00:00:00';

/** Unique in its namespace, and the same each time. */
export const tapName = (ifIndex: number): IfName => parseIfName(`berth${ifIndex}`);

/**
 * What ADD will do, from what is there. `previous` is the record of an earlier ADD of the same attachment, whose ingress
 * qdisc is still ours. Throws `unsupported` for an interface that a VM cannot take over, `precondition` for one that is
 * down, `exists` for a foreign link in the TAP's place.
 */
export function planAdd(request: AddRequest, pod: PodInterface, previous: NetworkAttachment | undefined): AddPlan {
  const { containerId, ifName, netnsPath } = request.attachment;
  const { link } = pod;
  const { network, netnsId, bootId } = request;
  const key = networkAttachmentKey({ network, containerId, ifName });
  const tap = tapName(link.index);
  const mac = ethernetAddress(link);
  refuseDownLink(link);
  refuseForeignTap(pod.links, tap, key);
  const ownsIngress = pod.ingress === undefined || (pod.ingress === 'ingress' && madeIngress(previous, request, link));
  return {
    wiring: {
      state: 'wiring',
      network,
      containerId,
      ifName,
      netnsPath,
      netnsId,
      bootId,
      ifIndex: link.index,
      device: { kind: 'tap', name: tap, queues: 1 },
      ownsIngress,
    },
    nic: {
      mac,
      mtu: link.mtu,
      addresses: pod.addresses.filter(({ address }) => !isIpv6LinkLocal(address)),
      routes: nearestFirst(pod.routes.filter(isForGuest)),
      neighbours: [...pod.neighbours],
      dns: toNicDns(request.dns),
    },
    steps: [
      { do: 'record-wiring' },
      { do: 'make-tap', tap, alias: tapAlias(key) },
      { do: 'raise-tap', tap, mtu: link.mtu },
      ...(ownsIngress ? ([{ do: 'add-ingress', to: ifName }] as const) : []),
      { do: 'add-ingress', to: tap },
      { do: 'redirect', from: tap, to: ifName },
      { do: 'redirect', from: ifName, to: tap },
      { do: 'record-ready' },
    ],
  };
}

/** Whether the record is of this namespace, as far as boot and inode tell: the next namespace may get the inode. */
export function describesInterface(record: NetworkAttachment, place: { netnsId: string; bootId: string }): boolean {
  return record.netnsId === place.netnsId && record.bootId === place.bootId;
}

function madeIngress(previous: NetworkAttachment | undefined, request: AddRequest, link: Link): boolean {
  return previous?.ownsIngress === true && previous.ifIndex === link.index && describesInterface(previous, request);
}

function ethernetAddress(link: Link): string {
  if (link.hardwareType === ARPHRD_ETHER && link.mac !== undefined && link.mac !== NO_MAC) return link.mac;
  throw new Fault(
    'unsupported',
    `${link.name} (${link.kind ?? 'hardware'}) carries no Ethernet frames, which a VM's NIC needs`,
  );
}

/** It has no routes yet, or no more: the guest would come up without them. */
function refuseDownLink({ name, up }: Link): void {
  if (up) return;
  throw new Fault('precondition', `${name} is down; the plugins before berth in the chain must raise it`);
}

function refuseForeignTap(links: readonly Link[], name: string, key: string): void {
  const present = links.find((link) => link.name === name);
  if (present === undefined || (present.kind === 'tun' && present.alias === tapAlias(key))) return;
  throw new Fault('exists', `interface ${name} is there already and is not berth's TAP of ${key}; remove or rename it`);
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
