import { Attributes, fixedPart } from './attributes.ts';
import { forgiving, type Netlink } from './connection.ts';
import type { LinkRef } from './link.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { needingModule, TCA_KIND, TCA_OPTIONS, TCMSG_BYTES, tcHeader } from './tc-message.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const ROOT_PARENT = 0xffffffff;
/** TC_H_INGRESS: where an ingress or clsact qdisc sits; ffff: is the handle of either. */
const INGRESS_PARENT = 0xfffffff1;
const INGRESS_HANDLE = 0xffff0000;
/** Of the root qdiscs that are ours: the kernel gives handles from 8001: on, people give low ones. */
const OUR_ROOT_HANDLE = 0xbe720000;
/** TCA_TBF_* of linux/pkt_sched.h. */
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TC_LINKLAYER_ETHERNET = 1;
const MAX_U32 = 0xffffffff;

export type IngressKind = 'ingress' | 'clsact';

export interface RootQdisc {
  /** `noqueue`, `fq`, `tbf` ... */
  readonly kind: string;
  /** `kernel`: its default, which nobody asked for. */
  readonly owner: 'berth' | 'kernel' | 'others';
}

/** Where an interface's packets are queued and filtered. */
export interface Qdiscs {
  readonly root?: RootQdisc;
  readonly ingress?: IngressKind;
}

/** A token bucket: so many bytes a second, after a burst of so many; the queue before it holds `limitBytes`. */
export interface TokenBucket {
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  readonly limitBytes: number;
}

export function findQdiscs(netlink: Netlink, link: LinkRef): Qdiscs {
  const payload = tcHeader(link.index, 0, 0, 0).finish();
  const qdiscs = netlink.dump({ words: `list qdiscs of ${link.name}`, type: RTM_GETQDISC, flags: 0, payload });
  let found: Qdiscs = {};
  for (const { payload } of qdiscs) {
    const view = fixedPart(payload, TCMSG_BYTES);
    if (view.getInt32(4, true) !== link.index) continue;
    const kind = new Attributes(payload, TCMSG_BYTES).text(TCA_KIND) ?? '';
    const parent = view.getUint32(12, true);
    if (parent === INGRESS_PARENT) found = { ...found, ingress: kind === 'clsact' ? 'clsact' : 'ingress' };
    if (parent === ROOT_PARENT) found = { ...found, root: { kind, owner: ownerOf(view.getUint32(8, true)) } };
  }
  return found;
}

/** Gives the interface an ingress qdisc unless it has one, or a clsact. */
export function ensureIngress(netlink: Netlink, link: LinkRef): void {
  const words = `add an ingress qdisc to ${link.name}`;
  const request = { words, type: RTM_NEWQDISC, flags: NLM_F.CREATE | NLM_F.EXCL, payload: ingress(link) };
  // Either of the two has the place, and so the handle, that this one would have.
  needingModule('sch_ingress', () => forgiving(['EEXIST'], () => netlink.request(request)));
}

/** Deletes the ingress qdisc with its filters; false if there is none, or a clsact, which we never make. */
export function ensureNoIngress(netlink: Netlink, link: LinkRef): boolean {
  const words = `delete the ingress qdisc of ${link.name}`;
  const request = { words, type: RTM_DELQDISC, flags: 0, payload: ingress(link) };
  return forgiving(['ENOENT', 'EINVAL'], () => netlink.request(request));
}

/** Puts our token bucket on what leaves by the interface, in the place of whatever is its root qdisc. */
export function replaceTokenBucket(netlink: Netlink, link: LinkRef, bucket: TokenBucket): void {
  needingModule('sch_tbf', () => netlink.request(encodeTokenBucket(link, bucket)));
}

/** Puts a plain queue there, first in, first out. */
export function replaceQueue(netlink: Netlink, link: LinkRef): void {
  const payload = tcHeader(link.index, OUR_ROOT_HANDLE, ROOT_PARENT, 0).textAttribute(TCA_KIND, 'pfifo').finish();
  const flags = NLM_F.CREATE | NLM_F.REPLACE;
  netlink.request({ words: `queue packets of ${link.name} in their order`, type: RTM_NEWQDISC, flags, payload });
}

/** The kernel's default comes back. Only for a root qdisc that is ours. */
export function deleteOurRoot(netlink: Netlink, link: LinkRef): void {
  const payload = tcHeader(link.index, OUR_ROOT_HANDLE, ROOT_PARENT, 0).finish();
  netlink.request({ words: `delete the root qdisc of ${link.name}`, type: RTM_DELQDISC, flags: 0, payload });
}

export function encodeTokenBucket(link: LinkRef, bucket: TokenBucket): NetlinkRequest {
  const { bytesPerSecond, burstBytes, limitBytes } = bucket;
  const message = tcHeader(link.index, OUR_ROOT_HANDLE, ROOT_PARENT, 0)
    .textAttribute(TCA_KIND, 'tbf')
    .attribute(TCA_OPTIONS, (options) => {
      // struct tc_tbf_qopt: rate and peak rate, each u8 cell_log, u8 link layer, u16 overhead, s16 alignment, u16 least
      // packet, u32 bytes a second; u32 limit, u32 buffer (of kernels without TCA_TBF_BURST), u32 mtu (of the peak).
      options.attribute(TCA_TBF_PARMS, (parms) =>
        parms
          .u8(0, TC_LINKLAYER_ETHERNET)
          .u16(0)
          .u32(0, Math.min(bytesPerSecond, MAX_U32))
          .u32(0, 0, 0)
          .u32(limitBytes, 0, 0),
      );
      options.u32Attribute(TCA_TBF_BURST, burstBytes);
      if (bytesPerSecond > MAX_U32) {
        options.attribute(TCA_TBF_RATE64, (rate) => rate.u32(bytesPerSecond % 2 ** 32, bytesPerSecond / 2 ** 32));
      }
    });
  return {
    words: `limit what leaves by ${link.name} to ${bytesPerSecond} bytes a second`,
    type: RTM_NEWQDISC,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    payload: message.finish(),
  };
}

/** The kernel's defaults have no handle. */
function ownerOf(handle: number): RootQdisc['owner'] {
  if (handle === OUR_ROOT_HANDLE) return 'berth';
  return handle === 0 ? 'kernel' : 'others';
}

const ingress = (link: LinkRef): Uint8Array =>
  tcHeader(link.index, INGRESS_HANDLE, INGRESS_PARENT, 0).textAttribute(TCA_KIND, 'ingress').finish();
