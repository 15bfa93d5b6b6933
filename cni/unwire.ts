import { isTap, type NetworkAttachment, tapAlias } from '../proto/network-attachment.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { ensureNoLink, type Link, type LinkRef, listLinks } from '../runtime/system/netlink/link.ts';
import { deleteOurRoot, findQdiscs } from '../runtime/system/netlink/qdisc.ts';
import {
  ensureNoRedirect,
  type IngressFilter,
  listIngressFilters,
  toRedirect,
} from '../runtime/system/netlink/redirect.ts';
import { tapName } from './device-names.ts';
import { isOurs } from './earlier-wiring.ts';
import { restoreIdentity } from './give-up-identity.ts';
import { retryBusy } from './retry-busy.ts';
import { sleep } from './sleep.ts';

export interface Wired {
  /** networkAttachmentKey. */
  readonly key: string;
  readonly ifName: string;
  /** The record, if it is of this very namespace. */
  readonly record: NetworkAttachment | undefined;
}

/** What of ours is in a namespace. */
export interface FoundWiring {
  /** The pod's interface, if it is there. */
  readonly pod: Link | undefined;
  /** On its ingress. */
  readonly filters: readonly IngressFilter[];
  /** The TAP or macvtap, and an ifb. */
  readonly devices: readonly Link[];
}

/** Reads only. */
export function findWiring(netlink: Netlink, wired: Wired): FoundWiring {
  const links = listLinks(netlink);
  const pod = findPodLink(links, wired);
  const filters = pod === undefined ? [] : listIngressFilters(netlink, pod);
  return { pod, filters, devices: findOurDevices(links, pod, filters, wired) };
}

/**
 * Takes back what ADD did in the namespace that `netlink` is in; nothing there is fine. The redirect goes first: once
 * its device is gone it would eat every packet.
 */
export async function unwire(netlink: Netlink, wired: Wired, found = findWiring(netlink, wired)): Promise<void> {
  const { pod, filters, devices } = found;
  const { record } = wired;
  if (pod !== undefined) {
    const targets = devices.map(({ index }) => index);
    const ownsIngress = record?.ownsIngress === true;
    await retryBusy(sleep, () => ensureNoRedirect(netlink, pod, { targets, ownsIngress }, filters));
    // Who has the record knows whether there is one to look for; without one, the root may be another network's.
    const mayLimit = record === undefined ? devices.length > 0 : record.bandwidth !== undefined;
    if (mayLimit) ensureNoOwnRoot(netlink, pod);
  }
  for (const device of devices) ensureNoLink(netlink, device);
  if (pod !== undefined && record !== undefined) restoreIdentity(netlink, pod, record);
}

/** Takes our own root qdisc off an interface that is not ours. */
export function ensureNoOwnRoot(netlink: Netlink, link: LinkRef): void {
  if (findQdiscs(netlink, link).root?.owner === 'berth') deleteOurRoot(netlink, link);
}

/** The recorded index survives a renaming of the interface; without a record there is only the name. */
function findPodLink(links: readonly Link[], { record, ifName }: Wired): Link | undefined {
  return links.find(({ index, name }) => (record === undefined ? name === ifName : index === record.ifIndex));
}

/**
 * A device is ours by any one of three: its alias, the record's name and index, or our name while our own filter leads
 * the pod's interface to it. The name alone proves nothing: a foreign TAP may bear it, and then ADD has refused.
 */
function findOurDevices(
  links: readonly Link[],
  pod: Link | undefined,
  filters: readonly IngressFilter[],
  { key, record }: Wired,
): Link[] {
  const alias = tapAlias(key);
  const recorded = record !== undefined && isTap(record.device) ? record.device : undefined;
  const { targets } = toRedirect(filters);
  return links.filter((link) => {
    if (isOurs(link, alias, pod)) return true;
    if (link.kind !== 'tun' && link.kind !== 'macvtap') return false;
    if (link.alias?.startsWith(tapAlias(''))) return false;
    if (link.index === recorded?.ifIndex && link.name === recorded.name) return true;
    return pod !== undefined && link.name === tapName(pod.index) && targets.includes(link.index);
  });
}
