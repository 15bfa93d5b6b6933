import type { IfName } from '../proto/ids.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { findLinkByIndex } from '../runtime/system/netlink/link.ts';
import { findQdiscs } from '../runtime/system/netlink/qdisc.ts';
import type { Files } from '../runtime/system/port.ts';
import type { CniResult } from './chain-input.ts';
import type { ReportedDevice } from './device.ts';
import type { PodInterface } from './pod-interface.ts';
import { type EarlierShaper, findEarlierShaper } from './shape.ts';
import { hasIpv6 } from './silence-link.ts';
import type { WiringConfig } from './wiring-config.ts';

const DEFAULT_QDISC = '/proc/sys/net/core/default_qdisc';
/** Takes a packet's time stamp for the time at which to send it, though a redirected one says when it was received. */
const READS_TIME_STAMPS = 'fq';

/** What the pod's namespace does not tell. */
export interface Surroundings {
  /** Of the pod's interface, in the result of the plugins before. Undefined where a VMM takes nothing but a TAP. */
  readonly reported: ReportedDevice | undefined;
  /** Looked for where bandwidth is asked for. */
  readonly earlierShaper: EarlierShaper | undefined;
  /** A new interface would get a qdisc that orders packets by their time stamps. */
  readonly readsTimeStamps: boolean;
  /** The pod's interface has IPv6 switched on; looked for where it would have to give its addresses up. */
  readonly hasIpv6: boolean;
}

/** In the plugin's own namespace: the kernel shows its default qdisc nowhere else. */
export async function readsTimeStamps(files: Files, { mode }: WiringConfig): Promise<boolean> {
  if (mode !== 'tc') return false;
  const bytes = await files.readFile(DEFAULT_QDISC);
  return bytes !== undefined && new TextDecoder().decode(bytes).trim() === READS_TIME_STAMPS;
}

export function findReportedDevice({ interfaces }: CniResult, ifName: IfName): ReportedDevice {
  const found = interfaces.find(({ name, sandbox }) => name === ifName && sandbox);
  return {
    ...(found?.socketPath ? { socketPath: found.socketPath } : {}),
    ...(found?.pciID ? { pciId: found.pciID } : {}),
  };
}

/** Whether the interface may be no link of the pod's namespace. */
export const isElsewhere = (reported: ReportedDevice | undefined): boolean =>
  reported?.socketPath !== undefined || reported?.pciId !== undefined;

/** What is known of the plugin's own namespace, and of the result. */
interface Known {
  /** The plugin's own namespace; where bandwidth is asked for. */
  readonly node: Netlink | undefined;
  readonly readsTimeStamps: boolean;
  readonly reported: Surroundings['reported'];
}

export function describeSurroundings(
  wiring: WiringConfig,
  prevResult: CniResult,
  pod: PodInterface,
  { node, readsTimeStamps, reported }: Known,
): Surroundings {
  const { link, qdiscs } = pod;
  const peer = node && findPeer(node, pod);
  return {
    reported,
    earlierShaper: wiring.bandwidth && findEarlierShaper({ prevResult, qdiscs, peer }, wiring.bandwidth),
    readsTimeStamps,
    hasIpv6: wiring.mode === 'macvtap' && wiring.macvtapMode !== 'passthru' && hasIpv6(link),
  };
}

/** The other end of the pod's veth, if it is in the namespace of `node`. */
function findPeer(node: Netlink, { link }: PodInterface) {
  if (link.kind !== 'veth' || link.lowerIndex === undefined) return undefined;
  const peer = findLinkByIndex(node, link.lowerIndex);
  if (peer?.kind !== 'veth' || peer.lowerIndex !== link.index) return undefined;
  return { link: peer, qdiscs: findQdiscs(node, peer) };
}
