import { Fault } from '../proto/fault.ts';
import type { NetworkName } from '../proto/ids.ts';
import {
  isTap,
  type NetworkAttachment,
  type NicConfig,
  networkAttachmentKey,
  tapAlias,
} from '../proto/network-attachment.ts';
import { ARPHRD_ETHER, type Link } from '../runtime/system/netlink/link.ts';
import type { CniDns } from './chain-input.ts';
import { planDevice } from './device.ts';
import { beforeGivingUp, fits, isOurs, refuseForeignLink } from './earlier-wiring.ts';
import { findHeld, inUseFault } from './find-held.ts';
import { danPath } from './kata-dan.ts';
import { toNicConfig } from './nic-config.ts';
import type { PodInterface } from './pod-interface.ts';
import { type EarlierShaper, refuseForeignQueue, withoutShaped } from './shape.ts';
import { canHaveGivenUp } from './spare-mac.ts';
import type { Surroundings } from './surroundings.ts';
import type { PodAttachment } from './variables.ts';
import { needsIngress, type Step, wire } from './wire.ts';
import type { WiringConfig } from './wiring-config.ts';

export interface AddRequest {
  readonly network: NetworkName;
  readonly attachment: PodAttachment;
  /** `dev:inode` of the namespace. */
  readonly netnsId: string;
  readonly bootId: string;
  readonly dns: CniDns | undefined;
  readonly wiring: WiringConfig;
  readonly surroundings: Surroundings;
  /** Undefined: Kata is told nothing. */
  readonly kataDanDir: string | undefined;
}

export interface AddPlan {
  /** The record, as it is written before the first change. */
  readonly wiring: NetworkAttachment;
  readonly nic: NicConfig;
  /** What limits the pod already where a limit was asked for, and so is not limited by us too. */
  readonly leftTo?: EarlierShaper;
  readonly steps: readonly Step[];
}

/** Of a netkit in L3 mode, which calls itself Ethernet. */
const NO_MAC = '00:00:00:00:00:00';

/**
 * What ADD will do, from what is there. `previous` is the record of an earlier ADD of the same attachment, whose
 * ingress qdisc is still ours. Throws `unsupported` for an interface that a VM cannot take over, `precondition` for one
 * that is down, `exists` for a foreign link or qdisc in the place of ours, `busy` if a VMM holds a device that would
 * have to be made anew.
 */
export function planAdd(request: AddRequest, found: PodInterface, previous: NetworkAttachment | undefined): AddPlan {
  const { containerId, ifName, netnsPath } = request.attachment;
  const { network, netnsId, bootId, wiring, surroundings } = request;
  const key = networkAttachmentKey({ network, containerId, ifName });
  const alias = tapAlias(key);
  const earlier = isOfInterface(previous, request, found.link) ? previous : undefined;
  const pod = beforeGivingUp(found, earlier);
  const mac = ethernetAddress(pod.link);
  refuseDownLink(pod.link);
  const device = planDevice(wiring, pod.link, surroundings.reported);
  const { earlierShaper } = surroundings;
  const bandwidth = wiring.bandwidth && withoutShaped(wiring.bandwidth, earlierShaper);
  if (isTap(device)) refuseForeignQueue(bandwidth, pod);
  const isMacTaken = device.kind === 'macvtap' && device.mode !== 'passthru';
  const wanted = { device, bandwidth, owner: wiring.owner };
  const ours = pod.links.filter((link) => isOurs(link, alias, pod.link));
  const isStale = !fits(wanted, earlier, ours, pod.qdiscs);
  const inUse = findHeld(ours);
  if (isStale && inUse !== undefined) throw inUseFault(inUse);
  const known = isStale ? pod.links.filter((link) => !ours.includes(link)) : pod.links;
  if (isTap(device)) refuseForeignLink(known, device.name, alias, pod.link);
  const { ingress } = pod.qdiscs;
  const ownsIngress = ingress === undefined || (ingress === 'ingress' && earlier?.ownsIngress === true);
  const nic = toNicConfig(pod, mac, request.dns);
  const hasDevice = !isStale && isTap(device) && ours.some(({ name }) => name === device.name);
  const { readsTimeStamps, hasIpv6 } = surroundings;
  const kataDan = request.kataDanDir === undefined ? undefined : danPath(request.kataDanDir, containerId);
  const places = { pod, alias, mac, ownsIngress, hasDevice, readsTimeStamps };
  return {
    wiring: {
      state: 'wiring',
      network,
      containerId,
      ifName,
      netnsPath,
      netnsId,
      bootId,
      ifIndex: pod.link.index,
      device,
      ownsIngress: ownsIngress && needsIngress(wanted),
      nic,
      ...(isMacTaken ? { gaveUp: earlier?.gaveUp ?? { hadIpv6: hasIpv6 } } : {}),
      ...(bandwidth === undefined ? {} : { bandwidth }),
      ...(kataDan === undefined ? {} : { kataDan }),
    },
    nic,
    ...(bandwidth === undefined || earlierShaper === undefined ? {} : { leftTo: earlierShaper }),
    steps: [
      ...(isStale ? [{ do: 'unwire' } as const] : []),
      { do: 'record-wiring' },
      ...wire(wanted, places),
      ...(kataDan === undefined ? [] : [{ do: 'tell-kata', path: kataDan } as const]),
      { do: 'record-ready' },
    ],
  };
}

/** Whether the record is of this namespace, as far as boot and inode tell: the next namespace may get the inode. */
export function describesInterface(record: NetworkAttachment, place: { netnsId: string; bootId: string }): boolean {
  return record.netnsId === place.netnsId && record.bootId === place.bootId;
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

function isOfInterface(record: NetworkAttachment | undefined, request: AddRequest, link: Link): boolean {
  if (record === undefined || record.ifIndex !== link.index || !describesInterface(record, request)) return false;
  return record.gaveUp === undefined || canHaveGivenUp(record, link.mac);
}
