import type { IfName } from '../proto/ids.ts';
import type { NetworkAttachment, NetworkDevice } from '../proto/network-attachment.ts';
import type { TokenBucket } from '../runtime/system/netlink/qdisc.ts';
import { ifbName } from './device-names.ts';
import type { PodInterface } from './pod-interface.ts';
import { toTokenBucket } from './shape.ts';
import { toSpareMac } from './spare-mac.ts';
import type { TapOwner } from './wiring-config.ts';

/** One change of ADD. Each leaves what it finds done, so that ADD can be repeated after a crash at any point. */
export type Step =
  /** What an earlier ADD has made and this one would make otherwise. */
  | { readonly do: 'unwire' }
  | { readonly do: 'record-wiring' }
  /** The interface gets this MAC, and has no addresses any more. */
  | { readonly do: 'give-up-identity'; readonly spareMac: string }
  | { readonly do: 'make-tap'; readonly tap: IfName; readonly spec: TapSpec }
  | { readonly do: 'make-macvtap'; readonly tap: IfName; readonly spec: MacvtapSpec }
  | { readonly do: 'make-ifb'; readonly ifb: IfName; readonly alias: string }
  /** In the order in which packets come, in place of a qdisc that would read their time stamps. */
  | { readonly do: 'queue'; readonly on: IfName }
  | { readonly do: 'limit'; readonly on: IfName; readonly bucket: TokenBucket }
  | { readonly do: 'raise'; readonly link: IfName }
  | { readonly do: 'add-ingress'; readonly to: IfName }
  /** `isFirst`: nothing can stand at that ingress yet. */
  | { readonly do: 'redirect'; readonly from: IfName; readonly to: IfName; readonly isFirst: boolean }
  | { readonly do: 'tell-kata'; readonly path: string }
  | { readonly do: 'record-ready' };

export interface TapSpec {
  readonly alias: string;
  readonly mtu: number;
  readonly queues: number;
  readonly owner: TapOwner | undefined;
}

export interface MacvtapSpec {
  readonly alias: string;
  readonly mtu: number;
  readonly mode: Extract<NetworkDevice, { readonly kind: 'macvtap' }>['mode'];
  /** Undefined: the interface's own, as in `passthru`. */
  readonly mac: string | undefined;
}

export interface Wanted {
  readonly device: NetworkDevice;
  readonly bandwidth: NetworkAttachment['bandwidth'];
  readonly owner: TapOwner | undefined;
}

export interface Places {
  readonly pod: PodInterface;
  readonly alias: string;
  /** That the guest will have. */
  readonly mac: string;
  /** The ingress qdisc of the pod's interface is to be made, or was made by us. */
  readonly ownsIngress: boolean;
  /** The device is there already. */
  readonly hasDevice: boolean;
  /** A qdisc that the kernel would give the TAP orders packets by their time stamps. */
  readonly readsTimeStamps: boolean;
}

/** The changes between the first record and the last: none where the VMM needs no device of ours. */
export function wire(wanted: Wanted, places: Places): Step[] {
  if (wanted.device.kind === 'tap') return wireTap(wanted, wanted.device, places);
  if (wanted.device.kind === 'macvtap') return wireMacvtap(wanted, wanted.device, places);
  return [];
}

function wireTap(
  wanted: Wanted,
  { name: tap, queues }: Extract<NetworkDevice, { readonly kind: 'tap' }>,
  { pod, alias, ownsIngress, hasDevice, readsTimeStamps }: Places,
): Step[] {
  const { mtu } = pod.link;
  const name = pod.link.name as IfName;
  const toGuest = bucketOf(wanted, 'ingress', mtu);
  return [
    { do: 'make-tap', tap, spec: { alias, mtu, queues, owner: wanted.owner } },
    ...limit(tap, toGuest),
    ...(toGuest === undefined && readsTimeStamps ? [{ do: 'queue', on: tap } as const] : []),
    // While it is down: of an interface that is up the kernel first waits until nobody uses its queues.
    { do: 'add-ingress', to: tap },
    { do: 'raise', link: tap },
    ...(ownsIngress ? [{ do: 'add-ingress', to: name } as const] : []),
    ...limit(name, bucketOf(wanted, 'egress', mtu)),
    { do: 'redirect', from: tap, to: name, isFirst: !hasDevice },
    { do: 'redirect', from: name, to: tap, isFirst: pod.qdiscs.ingress === undefined },
  ];
}

function wireMacvtap(
  wanted: Wanted,
  { name: tap, mode }: Extract<NetworkDevice, { readonly kind: 'macvtap' }>,
  { pod, alias, mac, ownsIngress }: Places,
): Step[] {
  const { index, mtu } = pod.link;
  const name = pod.link.name as IfName;
  const takesMac = mode !== 'passthru';
  const fromGuest = bucketOf(wanted, 'egress', mtu);
  const toGuest = bucketOf(wanted, 'ingress', mtu);
  const ifb = ifbName(index);
  return [
    // Also where it has given them up: an ADD that fails takes the device away, and has to give them back.
    ...(takesMac ? [{ do: 'give-up-identity', spareMac: toSpareMac(mac) } as const] : []),
    { do: 'make-macvtap', tap, spec: { alias, mtu, mode, mac: takesMac ? mac : undefined } },
    { do: 'raise', link: tap },
    ...limit(name, fromGuest),
    ...(toGuest === undefined
      ? []
      : ([
          { do: 'make-ifb', ifb, alias },
          { do: 'limit', on: ifb, bucket: toGuest },
          { do: 'raise', link: ifb },
          ...(ownsIngress ? [{ do: 'add-ingress', to: name } as const] : []),
          { do: 'redirect', from: name, to: ifb, isFirst: pod.qdiscs.ingress === undefined },
        ] as const)),
  ];
}

const limit = (on: IfName, bucket: TokenBucket | undefined): Step[] =>
  bucket === undefined ? [] : [{ do: 'limit', on, bucket }];

function bucketOf({ bandwidth }: Wanted, way: 'ingress' | 'egress', mtu: number): TokenBucket | undefined {
  if (bandwidth === undefined || bandwidth.leftTo !== undefined || bandwidth[`${way}Rate`] === 0) return undefined;
  return toTokenBucket(bandwidth[`${way}Rate`], bandwidth[`${way}Burst`], mtu);
}

export const needsIngress = (wanted: Wanted): boolean =>
  wanted.device.kind === 'tap' || (wanted.device.kind === 'macvtap' && bucketOf(wanted, 'ingress', 0) !== undefined);
