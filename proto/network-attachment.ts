import * as v from 'valibot';
import { parseCniContainerId, parseIfName, parseNetworkName } from './ids.ts';
import { absolutePath, count, defineRecord, filled, id } from './record.ts';

/** MAX_TAP_QUEUES of drivers/net/tun.c and of macvtap. */
export const MAX_QUEUES = 256;

const address = v.strictObject({
  /** With prefix length: `10.1.1.2/24`, `fd00::2/64`. */
  address: filled,
  /** Of a point-to-point address: the other end, without prefix length. */
  peer: v.optional(filled),
  broadcast: v.optional(filled),
  scope: count,
  /** Not to be chosen as the source of new connections. */
  deprecated: v.optional(v.boolean()),
});
export type NicAddress = v.InferOutput<typeof address>;

/** One route of the pod's interface, every field as rtnetlink has it (RTM_NEWROUTE; numbers of linux/rtnetlink.h). */
const route = v.strictObject({
  family: v.picklist([4, 6]),
  /** With prefix length; `0.0.0.0/0` and `::/0` are the default routes. */
  destination: filled,
  gateway: v.optional(filled),
  source: v.optional(filled),
  scope: count,
  type: count,
  protocol: count,
  table: count,
  metric: v.optional(count),
  mtu: v.optional(count),
  /** Of a route that is for packets of this type of service alone. */
  tos: v.optional(count),
  /** Those beside the MTU that are numbers: RTAX_ADVMSS, RTAX_INITCWND ..., and RTAX_LOCK, which says what is fixed. */
  metrics: v.optional(v.pipe(v.array(v.strictObject({ type: count, value: count })), v.readonly())),
  /** RTNH_F_ONLINK: the gateway is reachable though no route says so. */
  onlink: v.boolean(),
});
export type NicRoute = v.InferOutput<typeof route>;

/** A permanent neighbour entry: plugins set them where the gateway does not answer ARP or NDP. */
const neighbour = v.strictObject({ address: filled, mac: filled });
export type NicNeighbour = v.InferOutput<typeof neighbour>;

const dns = v.strictObject({
  nameservers: v.array(v.string()),
  search: v.array(v.string()),
  options: v.array(v.string()),
});
export type NicDns = v.InferOutput<typeof dns>;

/** What the guest's interface takes over from the pod's interface: read from the kernel, not from the CNI result. */
const nicConfig = v.strictObject({
  mac: filled,
  mtu: count,
  addresses: v.array(address),
  /** In an order in which they can be made: what a gateway is reached by comes before. */
  routes: v.array(route),
  neighbours: v.array(neighbour),
  dns: dns,
});
export type NicConfig = v.InferOutput<typeof nicConfig>;

/** Modes of macvlan(4), linux/if_link.h; in all but `passthru` the guest has a MAC that the pod's interface gave up. */
export const MACVTAP_MODES = ['passthru', 'bridge', 'vepa', 'private'] as const;

const queues = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_QUEUES));

/** What the VMM opens to have the pod's traffic. */
const device = v.variant('kind', [
  v.strictObject({
    /** Joined to the pod's interface by redirects both ways. Made for several queues if there is more than one. */
    kind: v.literal('tap'),
    name: id(parseIfName),
    ifIndex: v.optional(count),
    queues: queues,
  }),
  v.strictObject({
    /** On the pod's interface. /dev/tap<ifindex> may be another namespace's: its number is read from sysfs there. */
    kind: v.literal('macvtap'),
    name: id(parseIfName),
    ifIndex: v.optional(count),
    queues: queues,
    mode: v.picklist(MACVTAP_MODES),
  }),
  /** Another process serves the queues on this socket (`socketPath` of the CNI result). */
  v.strictObject({ kind: v.literal('vhost-user'), socketPath: absolutePath }),
  /** A NIC or virtual function of the host (`pciID` of the CNI result, or the interface's own place on the bus). */
  v.strictObject({ kind: v.literal('physical'), pciId: filled }),
]);
export type NetworkDevice = v.InferOutput<typeof device>;
/** A device that berth made, and that DEL takes away. */
export type TapDevice = Extract<NetworkDevice, { readonly kind: 'tap' | 'macvtap' }>;

/** For a person. */
export function describeDevice(device: NetworkDevice): string {
  if (device.kind === 'vhost-user') return `the vhost-user socket ${device.socketPath}`;
  if (device.kind === 'physical') return `the PCI device ${device.pciId}`;
  return `${device.kind === 'tap' ? 'TAP' : 'macvtap'} ${device.name}`;
}

export const isTap = (device: NetworkDevice): device is TapDevice => device.kind === 'tap' || device.kind === 'macvtap';

/** Limits of the pod's traffic: bits a second and bits; 0: none. `ingress` is towards the pod. */
const bandwidth = v.strictObject({
  ingressRate: count,
  ingressBurst: count,
  egressRate: count,
  egressBurst: count,
  /** What an earlier plugin limits it by. Absent: it is berth that does, on device and interface. */
  leftTo: v.optional(filled),
});

/**
 * /run/berth/networks/<network>:<container id>:<ifname>.json: a pod interface as a VM takes it over. Written by cni: as
 * `wiring` before its first kernel change, as `ready` after its last; removed by DEL. Read by the runtime.
 */
export const networkAttachmentRecord = defineRecord('network attachment', 2, {
  state: v.picklist(['wiring', 'ready']),
  network: id(parseNetworkName),
  containerId: id(parseCniContainerId),
  ifName: id(parseIfName),
  netnsPath: absolutePath,
  /** `dev:inode` of the namespace: a path can be reused, the namespace is another one then. */
  netnsId: filled,
  /** Interface indexes mean nothing after a reboot. */
  bootId: filled,
  ifIndex: count,
  device: device,
  /** Whether this plugin made the ingress qdisc of the pod's interface, and so removes it. */
  ownsIngress: v.boolean(),
  /** As the interface was before the first change. */
  nic: v.optional(nicConfig),
  /** The interface's MAC and addresses went to the device, and DEL gives them back, with IPv6 if it was on. */
  gaveUp: v.optional(v.strictObject({ hadIpv6: v.boolean() })),
  bandwidth: v.optional(bandwidth),
  /** The file by which stock Kata was told of the device, and from which DEL takes it out again. */
  kataDan: v.optional(absolutePath),
});
export type NetworkAttachment = ReturnType<typeof networkAttachmentRecord.decode>;

/** Key of an attachment: the parts' alphabets exclude `:`, so it is unambiguous, and it is a file name. */
export const networkAttachmentKey = (a: { network: string; containerId: string; ifName: string }): string =>
  `${a.network}:${a.containerId}:${a.ifName}`;

/** `ifalias` that marks a TAP as berth's (at most 255 bytes, IFALIASZ). */
export const tapAlias = (key: string): string => `berth:${key}`;

/**
 * Name of an abstract unix socket of the pod's network namespace, `@berth:NAME` in its /proc/net/unix, which berth's VMM
 * holds for as long as it has the device open: of a macvtap the kernel does not tell whether anybody has.
 */
export const deviceClaim = (deviceName: string): string => `berth:${deviceName}`;
