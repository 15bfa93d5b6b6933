import { isTap, type NetworkAttachment, tapAlias } from '../proto/network-attachment.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { ensureNoLink, type Link, listLinks } from '../runtime/system/netlink/link.ts';
import { ensureNoEmptyIngress, ensureNoRedirect, listRedirectTargets } from '../runtime/system/netlink/tc.ts';
import { tapName } from './plan.ts';

export interface Wired {
  /** networkAttachmentKey. */
  readonly key: string;
  readonly ifName: string;
  /** The record, if it is of this very namespace. */
  readonly record: NetworkAttachment | undefined;
}

/**
 * Takes back what ADD did in the namespace that `netlink` is in; nothing there is fine. The redirect goes first: once
 * its TAP is gone it would eat every packet.
 */
export function unwire(netlink: Netlink, wired: Wired): void {
  const links = listLinks(netlink);
  const podLink = findPodLink(links, wired);
  const taps = findOurTaps(netlink, links, podLink, wired);
  const isOurPlace = taps.length > 0 || wired.record !== undefined;
  if (podLink !== undefined && isOurPlace) {
    ensureNoRedirect(
      netlink,
      podLink,
      taps.map(({ index }) => index),
    );
    if (wired.record?.ownsIngress) ensureNoEmptyIngress(netlink, podLink);
  }
  for (const tap of taps) ensureNoLink(netlink, tap);
}

/** The recorded index survives a renaming of the interface; without a record there is only the name. */
function findPodLink(links: readonly Link[], { record, ifName }: Wired): Link | undefined {
  return links.find(({ index, name }) => (record === undefined ? name === ifName : index === record.ifIndex));
}

/**
 * A TAP is ours by any one of three: its alias, the record's name and index, or our name while our own filter leads the
 * pod's interface to it. The name alone proves nothing: a foreign TAP may bear it, and then ADD has refused.
 */
function findOurTaps(netlink: Netlink, links: readonly Link[], podLink: Link | undefined, wired: Wired): Link[] {
  const alias = tapAlias(wired.key);
  const device = wired.record?.device;
  const recorded = device !== undefined && isTap(device) ? device : undefined;
  const redirectTargets = podLink === undefined ? [] : listRedirectTargets(netlink, podLink);
  return links.filter((link) => {
    if (link.kind !== 'tun') return false;
    if (link.alias === alias) return true;
    if (link.alias?.startsWith(tapAlias(''))) return false;
    if (link.index === recorded?.ifIndex && link.name === recorded.name) return true;
    return podLink !== undefined && link.name === tapName(podLink.index) && redirectTargets.includes(link.index);
  });
}
