import { Fault } from '../../../proto/fault.ts';
import { Attributes, fixedPart } from './attributes.ts';
import { forgiving, hasErrno, type Netlink } from './connection.ts';
import type { LinkRef } from './link.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { MessageBuilder } from './message-builder.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
/** struct tcmsg: u8 family, three pad bytes, i32 interface, u32 handle, u32 parent, u32 info. */
const TCMSG_BYTES = 20;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
/** TC_H_INGRESS: where an ingress or clsact qdisc sits; ffff: is the handle of either. */
const INGRESS_PARENT = 0xfffffff1;
const INGRESS_HANDLE = 0xffff0000;
/** TC_H_MIN_INGRESS of ffff: names the ingress filters of an ingress and of a clsact qdisc alike. */
const INGRESS_FILTERS = 0xfffffff2;
/** ETH_P_ALL in network order. */
const EVERY_PROTOCOL = 0x0300;
/** What the kernel answers as the target of a redirect whose interface is gone. */
const DELETED_INTERFACE = 0;
/** TCA_U32_*, TCA_ACT_*, TCA_MIRRED_* of linux/pkt_cls.h and linux/tc_act/tc_mirred.h. */
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
/** The bits of a u32 filter's handle that number it in its hash bucket. */
const TC_U32_NODE = 0xfff;
/** In place of a filter's handle: all of its priority. */
const WHOLE_CLASSIFIER = 0;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;

/**
 * Priority of our filter, and its name: one a direction, and nobody else's. It comes after those that the kernel gives
 * of its own accord (49152 downwards), so that filters of others that count or drop see a packet before it is gone.
 */
const REDIRECT_PRIORITY = 49153;

/** tcm_info of our filter: priority and protocol. */
const REDIRECT_INFO = REDIRECT_PRIORITY * 0x10000 + EVERY_PROTOCOL;

export type IngressKind = 'ingress' | 'clsact';

/** A filter on an interface's ingress. */
interface IngressFilter {
  readonly handle: number;
  readonly priority: number;
  /** Classifier: `u32`, `bpf`, `matchall` ... */
  readonly kind: string;
  /** Of a u32 filter that redirects: the interface that packets go to; 0 when it has been deleted. */
  readonly redirectsTo?: number;
}

export function findIngress(netlink: Netlink, link: LinkRef): IngressKind | undefined {
  const payload = header(link.index, 0, 0, 0).finish();
  const qdiscs = netlink.dump({ words: `list qdiscs of ${link.name}`, type: RTM_GETQDISC, flags: 0, payload });
  for (const { payload } of qdiscs) {
    const view = fixedPart(payload, TCMSG_BYTES);
    if (view.getInt32(4, true) !== link.index || view.getUint32(12, true) !== INGRESS_PARENT) continue;
    return new Attributes(payload, TCMSG_BYTES).text(TCA_KIND) === 'clsact' ? 'clsact' : 'ingress';
  }
  return undefined;
}

/** Gives the interface an ingress qdisc unless it has one, or a clsact. */
export function ensureIngress(netlink: Netlink, link: LinkRef): void {
  const payload = header(link.index, INGRESS_HANDLE, INGRESS_PARENT, 0).textAttribute(TCA_KIND, 'ingress').finish();
  const words = `add an ingress qdisc to ${link.name}`;
  const request = { words, type: RTM_NEWQDISC, flags: NLM_F.CREATE | NLM_F.EXCL, payload };
  // Either of the two has the place, and so the handle, that this one would have.
  needingModule('sch_ingress', () => forgiving(['EEXIST'], () => netlink.request(request)));
}

/**
 * Deletes an ingress qdisc that has no filters. One with filters serves somebody, and a clsact, which we never make,
 * is somebody's: they stay.
 */
export function ensureNoEmptyIngress(netlink: Netlink, link: LinkRef): void {
  if (findIngress(netlink, link) !== 'ingress' || listIngressFilters(netlink, link).length > 0) return;
  const payload = header(link.index, INGRESS_HANDLE, INGRESS_PARENT, 0).textAttribute(TCA_KIND, 'ingress').finish();
  netlink.request({ words: `delete the ingress qdisc of ${link.name}`, type: RTM_DELQDISC, flags: 0, payload });
}

/** Indexes of the interfaces that our redirects from `from` lead to. */
export function listRedirectTargets(netlink: Netlink, from: LinkRef): number[] {
  return listIngressFilters(netlink, from)
    .filter(isAtOurPriority)
    .flatMap(({ redirectsTo }) => redirectsTo ?? []);
}

/** All filters on the interface's ingress; none where there is no qdisc for them. */
function listIngressFilters(netlink: Netlink, link: LinkRef): IngressFilter[] {
  const payload = header(link.index, 0, INGRESS_FILTERS, 0).finish();
  return netlink
    .dump({ words: `list ingress filters of ${link.name}`, type: RTM_GETTFILTER, flags: 0, payload })
    .map((message) => parseFilter(message.payload));
}

/**
 * Sends every packet that arrives on `from` out of `to`, before the host's own stack sees it. Ours to an interface that
 * has been deleted is replaced. Throws `exists` if our priority is taken by another filter.
 */
export function ensureRedirect(netlink: Netlink, from: LinkRef, to: LinkRef): void {
  let done = false;
  for (const filter of listIngressFilters(netlink, from).filter(isAtOurPriority)) {
    if (filter.redirectsTo === to.index) done = true;
    else if (filter.redirectsTo === DELETED_INTERFACE) deleteFilter(netlink, from, filter);
    else if (filter.kind !== 'u32' || filter.redirectsTo !== undefined) throw priorityTaken(from, filter);
  }
  if (!done) needingModule('cls_u32 or act_mirred', () => netlink.request(encodeRedirect(from, to)));
}

/**
 * Deletes our redirect from `from` to an interface of these indexes, or to one that has been deleted. With it goes the
 * classifier of our priority, which the kernel keeps as long as others have u32 filters on the interface.
 */
export function ensureNoRedirect(netlink: Netlink, from: LinkRef, targets: readonly number[]): void {
  const present = listIngressFilters(netlink, from).filter(isAtOurPriority);
  const ours = present.filter(
    ({ redirectsTo }) =>
      redirectsTo !== undefined && (redirectsTo === DELETED_INTERFACE || targets.includes(redirectsTo)),
  );
  if (ours.length === 0) return;
  if (present.every((filter) => ours.includes(filter) || isClassifier(filter))) {
    deleteFilter(netlink, from, { handle: WHOLE_CLASSIFIER });
  } else for (const filter of ours) deleteFilter(netlink, from, filter);
}

export function encodeRedirect(from: LinkRef, to: LinkRef): NetlinkRequest {
  const message = header(from.index, 0, INGRESS_FILTERS, REDIRECT_INFO)
    .textAttribute(TCA_KIND, 'u32')
    .attribute(TCA_OPTIONS, (options) =>
      options
        // struct tc_u32_sel: flags, shift, number of keys; then masks and offsets of those. No key: every packet matches.
        .attribute(TCA_U32_SEL, (selector) => selector.u8(TC_U32_TERMINAL, 0, 0, 0).u32(0, 0, 0))
        .attribute(TCA_U32_ACT, (actions) => actions.attribute(1, (first) => writeRedirectAction(first, to))),
    );
  return {
    words: `redirect packets of ${from.name} to ${to.name}`,
    type: RTM_NEWTFILTER,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    payload: message.finish(),
  };
}

export function parseFilter(payload: Uint8Array): IngressFilter {
  const view = fixedPart(payload, TCMSG_BYTES);
  const attributes = new Attributes(payload, TCMSG_BYTES);
  const redirectsTo = parseRedirectTarget(attributes);
  return {
    handle: view.getUint32(8, true),
    priority: view.getUint32(16, true) >>> 16,
    kind: attributes.text(TCA_KIND) ?? '',
    ...(redirectsTo === undefined ? {} : { redirectsTo }),
  };
}

/** The u32 classifier of a priority is listed as a filter too, and so is its hash table: neither is a node in one. */
const isClassifier = ({ kind, handle }: IngressFilter): boolean => kind === 'u32' && (handle & TC_U32_NODE) === 0;

const isAtOurPriority = (filter: IngressFilter): boolean => filter.priority === REDIRECT_PRIORITY;

function deleteFilter(netlink: Netlink, link: LinkRef, { handle }: Pick<IngressFilter, 'handle'>): void {
  const payload = header(link.index, handle, INGRESS_FILTERS, REDIRECT_INFO).textAttribute(TCA_KIND, 'u32').finish();
  netlink.request({ words: `delete the redirect of ${link.name}`, type: RTM_DELTFILTER, flags: 0, payload });
}

function priorityTaken(link: LinkRef, { kind }: IngressFilter): Fault {
  return new Fault('exists', `${link.name} has another ${kind} filter of priority ${REDIRECT_PRIORITY}; remove it`);
}

/** struct tc_mirred: u32 index, capabilities, action, reference counts, what is done, interface. */
function writeRedirectAction(action: MessageBuilder, to: LinkRef): void {
  action
    .textAttribute(TCA_ACT_KIND, 'mirred')
    .attribute(TCA_ACT_OPTIONS, (options) =>
      options.attribute(TCA_MIRRED_PARMS, (mirred) =>
        mirred.u32(0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to.index),
      ),
    );
}

function parseRedirectTarget(filter: Attributes): number | undefined {
  const action = filter.nested(TCA_OPTIONS)?.nested(TCA_U32_ACT)?.nested(1);
  const mirred = action?.nested(TCA_ACT_OPTIONS)?.bytes(TCA_MIRRED_PARMS);
  if (action?.text(TCA_ACT_KIND) !== 'mirred' || mirred === undefined || mirred.length < 28) return undefined;
  const view = new DataView(mirred.buffer, mirred.byteOffset, mirred.length);
  return view.getUint32(20, true) === TCA_EGRESS_REDIR ? view.getUint32(24, true) : undefined;
}

function header(index: number, handle: number, parent: number, info: number): MessageBuilder {
  return new MessageBuilder().u8(0, 0, 0, 0).u32(index, handle, parent, info);
}

/** ENOENT of an addition means that the kernel does not know the kind: say what brings it. */
function needingModule(module: string, act: () => unknown): void {
  try {
    act();
  } catch (cause) {
    if (!hasErrno(cause, 'ENOENT')) throw cause;
    throw new Fault('environment', `the kernel lacks ${module}; Debian has it in its linux-image package`, { cause });
  }
}
