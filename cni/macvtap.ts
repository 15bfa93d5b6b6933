import { Fault } from '../proto/fault.ts';
import type { MACVTAP_MODES } from '../proto/network-attachment.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { addIfb, addMacvtap, changeLink, findLink, type Link, type LinkRef } from '../runtime/system/netlink/link.ts';
import { tapName } from './device-names.ts';
import { lowerForIpv6, silenceLink, unaddressed } from './silence-link.ts';
import type { MacvtapSpec } from './wire.ts';

/** MACVLAN_MODE_*, linux/if_link.h. */
export const MACVLAN_MODES: Record<(typeof MACVTAP_MODES)[number], number> = {
  private: 1,
  vepa: 2,
  bridge: 4,
  passthru: 8,
};

/**
 * Makes a macvtap on the pod's interface, down. The kernel knows no way to make one with its alias: until it is marked
 * it has the name that follows from the interface's index, by which DEL knows it.
 */
export function ensureMacvtap(
  netlink: Netlink,
  name: string,
  { alias, mtu, mode, mac }: MacvtapSpec,
  { pod, present: found }: { readonly pod: LinkRef; readonly present: Link | undefined },
): Link {
  let present = found;
  if (present === undefined) {
    const unmarked = tapName(pod.index);
    addMacvtap(netlink, { name: unmarked, lower: pod, mode: MACVLAN_MODES[mode], mac });
    present = lookUp(netlink, unmarked);
  }
  lowerForIpv6(netlink, present, mtu);
  const rename = present.name === name ? {} : { name };
  changeLink(netlink, present, { ...rename, alias, mtu, ...unaddressed(mtu) });
  const macvtap = { ...present, name };
  silenceLink(macvtap);
  return macvtap;
}

/** Makes the device that queues what comes in by the pod's interface, down. */
export function ensureIfb(netlink: Netlink, name: string, alias: string, present: Link | undefined): Link {
  let ifb = present;
  if (ifb === undefined) {
    addIfb(netlink, name);
    ifb = lookUp(netlink, name);
  }
  changeLink(netlink, ifb, { alias, ...unaddressed(ifb.mtu) });
  silenceLink(ifb);
  return ifb;
}

function lookUp(netlink: Netlink, name: string): Link {
  const link = findLink(netlink, name);
  if (link === undefined) throw new Fault('internal', `${name} is not there after it was made`);
  return link;
}
