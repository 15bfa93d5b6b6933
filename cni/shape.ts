import { Fault } from '../proto/fault.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { Qdiscs, TokenBucket } from '../runtime/system/netlink/qdisc.ts';
import type { CniResult } from './chain-input.ts';
import type { Bandwidth } from './wiring-config.ts';

/**
 * Kubernetes' annotations name no burst; engines then say the largest number that fits, which would let a pod send half
 * a gigabyte before its limit. From here on it means that there is none of its own.
 */
const BURST_UNSAID_BITS = 2 ** 31 - 1;
/** Of a burst that nobody said: two of the largest packets that guests hand over. */
const LEAST_BURST_BYTES = 128 * 1024;
const DEFAULT_BURST_SECONDS = 0.01;
/** How long a packet waits at most, as with CNI's own bandwidth plugin. */
const QUEUE_SECONDS = 0.025;
/** Ethernet header with a VLAN tag. A packet larger than the bucket would never be sent. */
const FRAME_OVERHEAD_BYTES = 18;
/** Root qdiscs that hold traffic back to a rate. */
const SHAPERS: readonly string[] = ['tbf', 'htb', 'hfsc', 'cbq', 'cake'];

/**
 * The bucket for a rate and a burst in bits (a second). A token bucket and not HTB: there is one class of traffic, its
 * queue is bounded in bytes, and it cuts up packets that are larger than the bucket.
 */
export function toTokenBucket(rateBits: number, burstBits: number, mtu: number): TokenBucket {
  const bytesPerSecond = Math.max(1, Math.floor(rateBits / 8));
  const unsaid = Math.max(LEAST_BURST_BYTES, Math.ceil(bytesPerSecond * DEFAULT_BURST_SECONDS));
  const asked = burstBits === 0 || burstBits >= BURST_UNSAID_BITS ? unsaid : Math.ceil(burstBits / 8);
  const burstBytes = Math.max(asked, mtu + FRAME_OVERHEAD_BYTES);
  const queueBytes = Math.max(LEAST_BURST_BYTES, Math.ceil(bytesPerSecond * QUEUE_SECONDS));
  return { bytesPerSecond, burstBytes, limitBytes: Math.min(burstBytes + queueBytes, 2 ** 32 - 1) };
}

/** What is known of who else may limit the pod's traffic. */
export interface ShaperSigns {
  readonly prevResult: CniResult;
  /** Of the pod's interface. */
  readonly qdiscs: Qdiscs;
  /** The other end of a veth, on the node, if it was found. */
  readonly peer: { readonly link: Link; readonly qdiscs: Qdiscs } | undefined;
}

/** What limits the pod's traffic already. */
export interface EarlierShaper {
  /** In words. */
  readonly by: string;
  /** `both`: who limits one way on the node's side has been told of the other way too. */
  readonly ways: 'both' | 'egress';
}

/**
 * Undefined: nothing that has to do with what is asked for. CNI's bandwidth plugin puts tbf on the node's end of the
 * veth, and reports an ifb `bwp...` if it limits what the pod sends.
 */
export function findEarlierShaper(
  { prevResult, qdiscs, peer }: ShaperSigns,
  { egressRate }: Pick<Bandwidth, 'egressRate'>,
): EarlierShaper | undefined {
  const ifb = prevResult.interfaces.find(({ name, sandbox }) => name.startsWith('bwp') && !sandbox);
  if (ifb !== undefined) return { by: `the interface ${ifb.name} of an earlier plugin`, ways: 'both' };
  const onPeer = peer?.qdiscs.root;
  if (peer !== undefined && onPeer !== undefined && SHAPERS.includes(onPeer.kind)) {
    const by = `the ${onPeer.kind} qdisc of ${peer.link.name}, the other end of the pod's interface`;
    return { by, ways: 'both' };
  }
  const { root } = qdiscs;
  if (egressRate === 0 || root?.owner !== 'others' || !SHAPERS.includes(root.kind)) return undefined;
  return { by: `the ${root.kind} qdisc of the pod's interface`, ways: 'egress' };
}

/** What is asked for without what an earlier shaper does, as the record has it. */
export function withoutShaped(asked: Bandwidth, earlier: EarlierShaper | undefined): Bandwidth & { leftTo?: string } {
  if (earlier === undefined) return asked;
  return earlier.ways === 'both' ? { ...asked, leftTo: earlier.by } : { ...asked, egressRate: 0, egressBurst: 0 };
}

/** Throws `exists` for a root qdisc of somebody else's in the place of ours: it queues as its owner wants it to. */
export function refuseForeignQueue(
  limits: (Bandwidth & { leftTo?: string | undefined }) | undefined,
  { link, qdiscs }: { readonly link: Pick<Link, 'name'>; readonly qdiscs: Qdiscs },
): void {
  const { root } = qdiscs;
  if (limits === undefined || limits.leftTo !== undefined || limits.egressRate === 0) return;
  if (root?.owner !== 'others') return;
  throw new Fault(
    'exists',
    `${link.name} has a root qdisc that is not berth's, ${root.kind}, in the place of the limit of what leaves the pod; ` +
      `remove it (tc qdisc del dev ${link.name} root, in the pod's network namespace), or ask for no egress limit`,
  );
}
