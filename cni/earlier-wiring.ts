import { Fault } from '../proto/fault.ts';
import { isTap, type NetworkAttachment, tapAlias } from '../proto/network-attachment.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { Qdiscs } from '../runtime/system/netlink/qdisc.ts';
import { ifbName, tapName } from './device-names.ts';
import { MACVLAN_MODES } from './macvtap.ts';
import type { PodInterface } from './pod-interface.ts';
import type { Wanted } from './wire.ts';

/** What we make. */
const KINDS: readonly string[] = ['tun', 'macvtap', 'ifb'];

/** The interface as it was before it gave MAC and addresses to the device of an earlier ADD. */
export function beforeGivingUp(pod: PodInterface, earlier: NetworkAttachment | undefined): PodInterface {
  if (earlier?.gaveUp === undefined || earlier.nic === undefined) return pod;
  const { mac, addresses, routes, neighbours } = earlier.nic;
  return { ...pod, link: { ...pod.link, mac }, addresses, routes, neighbours };
}

/** Whether what an earlier ADD has left, in its record and with our alias, can become what is wanted. */
export function fits(
  wanted: Wanted,
  earlier: NetworkAttachment | undefined,
  ours: readonly Link[],
  qdiscs: Qdiscs,
): boolean {
  const { device, bandwidth, owner } = wanted;
  if (qdiscs.root?.owner === 'berth' && bandwidth === undefined) return false;
  if (earlier !== undefined) {
    if (!isSameBandwidth(earlier.bandwidth, bandwidth)) return false;
    if (earlier.device.kind !== device.kind) return false;
    // What was given up and not yet taken over has to be given back first.
    if (earlier.gaveUp !== undefined && (earlier.state === 'wiring' || ours.length === 0)) return false;
  }
  return ours.every((link) => {
    if (link.kind === 'ifb') return device.kind === 'macvtap' && bandwidth !== undefined;
    if (!isTap(device) || link.name !== device.name) return false;
    if (device.kind === 'macvtap') return link.kind === 'macvtap' && link.macvtapMode === MACVLAN_MODES[device.mode];
    const { tap } = link;
    if (link.kind !== 'tun' || tap === undefined || !tap.hasVnetHeader || tap.isMultiQueue !== device.queues > 1)
      return false;
    return tap.uid === owner?.uid && tap.gid === owner?.gid;
  });
}

function isSameBandwidth(one: NetworkAttachment['bandwidth'], other: NetworkAttachment['bandwidth']): boolean {
  const keys = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst', 'leftTo'] as const;
  return keys.every((key) => one?.[key] === other?.[key]);
}

export function refuseForeignLink(links: readonly Link[], name: string, alias: string, pod: Link): void {
  const present = links.find((link) => link.name === name);
  if (present === undefined || isOurs(present, alias, pod)) return;
  const key = alias.slice(tapAlias('').length);
  throw new Fault('exists', `interface ${name} is there already and is not berth's TAP of ${key}; remove or rename it`);
}

/**
 * By its alias; or, without one, by what only ours can be: a TAP is marked before it lasts, but a macvtap and an ifb
 * can have been left between their making and their marking.
 */
export function isOurs(link: Link, alias: string, pod: Link | undefined): boolean {
  if (!KINDS.includes(link.kind ?? '')) return false;
  if (link.alias !== undefined || pod === undefined) return link.alias === alias;
  if (link.kind === 'tun') return false;
  if (link.kind === 'ifb') return link.name === ifbName(pod.index);
  return link.name === tapName(pod.index) && link.lowerIndex === pod.index;
}
