import * as v from 'valibot';
import { parseCniContainerId, parseIfName, parseNetworkName } from './ids.ts';
import { absolutePath, count, defineRecord, filled, id } from './record.ts';

// Functions, as defineRecord takes them: a schema is made when a record is first read.

const address = () =>
  v.strictObject({
    /** With prefix length: `10.1.1.2/24`, `fd00::2/64`. */
    address: filled,
    /** Of a point-to-point address: the other end, without prefix length. */
    peer: v.optional(filled),
    broadcast: v.optional(filled),
    scope: count,
  });
export type NicAddress = v.InferOutput<ReturnType<typeof address>>;

/** One route of the pod's interface, every field as rtnetlink has it (RTM_NEWROUTE; numbers of linux/rtnetlink.h). */
const route = () =>
  v.strictObject({
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
    /** RTNH_F_ONLINK: the gateway is reachable though no route says so. */
    onlink: v.boolean(),
  });
export type NicRoute = v.InferOutput<ReturnType<typeof route>>;

/** A permanent neighbour entry: plugins set them where the gateway does not answer ARP or NDP. */
const neighbour = () => v.strictObject({ address: filled, mac: filled });
export type NicNeighbour = v.InferOutput<ReturnType<typeof neighbour>>;

const dns = () =>
  v.strictObject({
    nameservers: v.array(v.string()),
    search: v.array(v.string()),
    options: v.array(v.string()),
  });
export type NicDns = v.InferOutput<ReturnType<typeof dns>>;

/** What the guest's interface takes over from the pod's interface: read from the kernel, not from the CNI result. */
const nicConfig = () =>
  v.strictObject({
    mac: filled,
    mtu: count,
    addresses: v.array(address()),
    routes: v.array(route()),
    neighbours: v.array(neighbour()),
    dns: dns(),
  });
export type NicConfig = v.InferOutput<ReturnType<typeof nicConfig>>;

/**
 * /run/berth/networks/<network>:<container id>:<ifname>.json: a pod interface wired to a TAP. Written by cni: as
 * `wiring` before its first kernel change, as `ready` after its last; removed by DEL. Read by the runtime.
 */
export const networkAttachmentRecord = defineRecord('network attachment', 1, () => ({
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
  tap: v.strictObject({ name: id(parseIfName), ifIndex: v.optional(count) }),
  /** Whether this plugin made the ingress qdisc of the pod's interface, and so removes it. */
  ownsIngress: v.boolean(),
  /** Absent while `wiring`. */
  nic: v.optional(nicConfig()),
}));
export type NetworkAttachment = ReturnType<typeof networkAttachmentRecord.decode>;

/** Key of an attachment: the parts' alphabets exclude `:`, so it is unambiguous, and it is a file name. */
export const networkAttachmentKey = (a: { network: string; containerId: string; ifName: string }): string =>
  `${a.network}:${a.containerId}:${a.ifName}`;

/** `ifalias` that marks a TAP as berth's (at most 255 bytes, IFALIASZ). */
export const tapAlias = (key: string): string => `berth:${key}`;
