import { Fault } from '../../../proto/fault.ts';
import { Attributes, fixedPart } from './attributes.ts';
import { CLASSIFIERS, type Classifier, parseRedirectTarget, writeRedirect } from './classifier.ts';
import { forgiving, hasErrno, type Netlink } from './connection.ts';
import type { LinkRef } from './link.ts';
import { type NetlinkRequest, NLM_F } from './message.ts';
import { ensureNoIngress } from './qdisc.ts';
import { TCA_KIND, TCA_OPTIONS, TCMSG_BYTES, tcHeader } from './tc-message.ts';

const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
/** TC_H_MIN_INGRESS of ffff: names the ingress filters of an ingress and of a clsact qdisc alike. */
const INGRESS_FILTERS = 0xfffffff2;
/** ETH_P_ALL in network order. */
const EVERY_PROTOCOL = 0x0300;
/** What the kernel answers as the target of a redirect whose interface is gone. */
const DELETED_INTERFACE = 0;
/** The bits of a u32 filter's handle that number it in its hash bucket. */
const TC_U32_NODE = 0xfff;
/** In place of a filter's handle: all of its priority. */
const WHOLE_CLASSIFIER = 0;

/**
 * Priority of our filter, and its name: one a direction, and nobody else's. It comes after those that the kernel gives
 * of its own accord (49152 downwards), so that filters of others that count or drop see a packet before it is gone.
 */
const REDIRECT_PRIORITY = 49153;

/** tcm_info of our filter: priority and protocol. */
const REDIRECT_INFO = REDIRECT_PRIORITY * 0x10000 + EVERY_PROTOCOL;

/** A filter on an interface's ingress. */
export interface IngressFilter {
  readonly handle: number;
  readonly priority: number;
  /** Classifier: `u32`, `bpf`, `matchall` ... */
  readonly kind: string;
  /** Of one that redirects: the interface that packets go to; 0 when it has been deleted. */
  readonly redirectsTo?: number;
}

/** What stands at our priority on an interface's ingress. */
export interface Redirect {
  /** Interfaces that its filters lead to; more than one entry: it was doubled. */
  readonly targets: readonly number[];
  /** How many of its filters lead to an interface that is gone. */
  readonly dangling: number;
  /** Classifiers that stand there and redirect nothing: somebody else's. */
  readonly foreign: readonly string[];
}

/** All filters on the interface's ingress; none where there is no qdisc for them. */
export function listIngressFilters(netlink: Netlink, link: LinkRef): IngressFilter[] {
  const payload = tcHeader(link.index, 0, INGRESS_FILTERS, 0).finish();
  return netlink
    .dump({ words: `list ingress filters of ${link.name}`, type: RTM_GETTFILTER, flags: 0, payload })
    .map((message) => parseFilter(message.payload));
}

export function toRedirect(filters: readonly IngressFilter[]): Redirect {
  const present = filters.filter((filter) => isAtOurPriority(filter) && !isClassifier(filter));
  const all = present.flatMap(({ redirectsTo }) => redirectsTo ?? []);
  return {
    targets: all.filter((target) => target !== DELETED_INTERFACE),
    dangling: all.filter((target) => target === DELETED_INTERFACE).length,
    foreign: present.filter(({ redirectsTo }) => redirectsTo === undefined).map(({ kind }) => kind),
  };
}

/**
 * Sends every packet that arrives on `from` out of `to`, before the host's own stack sees it. Ours to an interface that
 * has been deleted is replaced. Throws `exists` if our priority is taken by another filter. `present` are the filters
 * of `from`; `classifiers`, which to try.
 */
export function ensureRedirect(
  netlink: Netlink,
  from: LinkRef,
  to: LinkRef,
  present: readonly IngressFilter[],
  classifiers: readonly Classifier[] = CLASSIFIERS,
): void {
  let done = false;
  for (const filter of present.filter(isAtOurPriority)) {
    if (filter.redirectsTo === to.index) done = true;
    else if (filter.redirectsTo === DELETED_INTERFACE) deleteFilter(netlink, from, filter);
    else if (filter.redirectsTo !== undefined || !isClassifier(filter)) throw priorityTaken(from, filter);
  }
  if (!done) addRedirect(netlink, from, to, classifiers);
}

/**
 * Deletes our redirect from `from` to an interface of these indexes, or to one that has been deleted. With it goes the
 * classifier of our priority, which the kernel keeps as long as others have u32 filters on the interface; and the
 * ingress qdisc if it is ours and serves nobody else.
 */
export function ensureNoRedirect(
  netlink: Netlink,
  from: LinkRef,
  { targets, ownsIngress }: { readonly targets: readonly number[]; readonly ownsIngress: boolean },
  present: readonly IngressFilter[] = listIngressFilters(netlink, from),
): void {
  const atOurs = present.filter(isAtOurPriority);
  const ours = atOurs.filter(
    ({ redirectsTo }) =>
      redirectsTo !== undefined && (redirectsTo === DELETED_INTERFACE || targets.includes(redirectsTo)),
  );
  const isOnlyOurs = atOurs.every((filter) => ours.includes(filter) || isClassifier(filter));
  // One deletion in place of two: the kernel waits for its readers after each.
  if (ownsIngress && isOnlyOurs && atOurs.length === present.length && ensureNoIngress(netlink, from)) return;
  const [first] = ours;
  if (first === undefined) return;
  if (isOnlyOurs) deleteFilter(netlink, from, { kind: first.kind, handle: WHOLE_CLASSIFIER });
  else for (const filter of ours) deleteFilter(netlink, from, filter);
}

export function encodeRedirect(from: LinkRef, to: LinkRef, classifier: Classifier): NetlinkRequest {
  const message = tcHeader(from.index, 0, INGRESS_FILTERS, REDIRECT_INFO)
    .textAttribute(TCA_KIND, classifier)
    .attribute(TCA_OPTIONS, (options) => writeRedirect(options, classifier, to));
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
  const kind = attributes.text(TCA_KIND) ?? '';
  const redirectsTo = parseRedirectTarget(attributes.nested(TCA_OPTIONS), kind);
  return {
    handle: view.getUint32(8, true),
    priority: view.getUint32(16, true) >>> 16,
    kind,
    ...(redirectsTo === undefined ? {} : { redirectsTo }),
  };
}

function addRedirect(netlink: Netlink, from: LinkRef, to: LinkRef, classifiers: readonly Classifier[]): void {
  let refusal: unknown;
  for (const classifier of classifiers) {
    try {
      netlink.request(encodeRedirect(from, to, classifier));
      return;
    } catch (error) {
      // The kernel does not know the classifier. What else it may refuse it would refuse the next one too.
      if (!hasErrno(error, 'ENOENT')) throw error;
      refusal = error;
    }
  }
  const lacking = `${classifiers.map((name) => `cls_${name}`).join(', ')}, or it lacks act_mirred`;
  const message = `the kernel has none of ${lacking}; Debian has them in its linux-image package`;
  throw new Fault('environment', message, { cause: refusal });
}

/**
 * A classifier of a priority is listed as a filter too, and so is a hash table of u32's: neither is a node in one.
 * matchall has no more than one filter, and lists nothing while it has none.
 */
const isClassifier = ({ kind, handle, redirectsTo }: IngressFilter): boolean =>
  kind === 'u32' ? (handle & TC_U32_NODE) === 0 : handle === 0 && redirectsTo === undefined;

const isAtOurPriority = (filter: IngressFilter): boolean => filter.priority === REDIRECT_PRIORITY;

function deleteFilter(netlink: Netlink, link: LinkRef, { kind, handle }: Pick<IngressFilter, 'kind' | 'handle'>): void {
  const payload = tcHeader(link.index, handle, INGRESS_FILTERS, REDIRECT_INFO).textAttribute(TCA_KIND, kind).finish();
  const request = { words: `delete the redirect of ${link.name}`, type: RTM_DELTFILTER, flags: 0, payload };
  forgiving(['ENOENT'], () => netlink.request(request));
}

function priorityTaken(link: LinkRef, { kind }: IngressFilter): Fault {
  return new Fault('exists', `${link.name} has another ${kind} filter of priority ${REDIRECT_PRIORITY}; remove it`);
}
