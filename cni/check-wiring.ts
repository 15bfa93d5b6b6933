import { describeDevice, isTap, type NetworkAttachment, type TapDevice } from '../proto/network-attachment.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { RootQdisc } from '../runtime/system/netlink/qdisc.ts';
import type { Redirect } from '../runtime/system/netlink/redirect.ts';
import { MACVLAN_MODES } from './macvtap.ts';

/** What is there of a wiring, in the pod's namespace. */
export interface WiringFacts {
  /** The interface of the recorded index. */
  readonly pod: WiredLink | undefined;
  /** Addresses of it, without prefix length. */
  readonly addresses: readonly string[];
  /** The TAP or macvtap, by its recorded name. */
  readonly device: WiredLink | undefined;
  /** Where a macvtap's incoming packets are limited. */
  readonly ifb: WiredLink | undefined;
}

export interface WiredLink {
  readonly link: Link;
  /** At its ingress. */
  readonly redirect: Redirect;
  readonly root: RootQdisc | undefined;
}

export interface ExpectedWiring {
  readonly record: NetworkAttachment;
  /** What the device and an ifb bear. */
  readonly alias: string;
  /** Of prevResult, without prefix length: what the pod's interface must have. */
  readonly addresses: readonly string[];
}

/** In words, all that is not as ADD has left it. What others have added meanwhile is none of it. */
export function judgeWiring(expected: ExpectedWiring, facts: WiringFacts): string[] {
  const { record } = expected;
  if (facts.pod === undefined) {
    // What a VMM drives itself has left the namespace, or was never in it.
    return isTap(record.device) ? [`${record.ifName} is gone, or another than the one that was wired`] : [];
  }
  const pod = facts.pod.link;
  const problems = judgePod(expected, pod, facts.addresses);
  if (!isTap(record.device)) return problems;
  const described = describeDevice(record.device);
  if (facts.device === undefined) {
    const lost = record.device.kind === 'tap' ? judgeRedirect(facts.pod, undefined) : [];
    return [...problems, `${described} is gone`, ...lost];
  }
  problems.push(...judgeDevice(expected, record.device, facts.device.link, pod));
  if (record.device.kind === 'tap') {
    problems.push(...judgeRedirect(facts.pod, facts.device.link), ...judgeRedirect(facts.device, pod));
  }
  return [...problems, ...judgeLimits(record, facts.pod, facts.device, facts.ifb)];
}

function judgePod({ record, addresses }: ExpectedWiring, pod: Link, found: readonly string[]): string[] {
  const { ifName, nic, gaveUp } = record;
  const problems: string[] = [];
  if (pod.name !== ifName) problems.push(`${ifName} is called ${pod.name} now`);
  if (!pod.up) problems.push(`${ifName} is down`);
  if (nic !== undefined && pod.mtu !== nic.mtu) {
    problems.push(`${ifName} has MTU ${pod.mtu}, but the guest was told ${nic.mtu}`);
  }
  // Of an interface that gave them to its macvtap nothing is left to look for.
  if (gaveUp !== undefined) return problems;
  if (nic !== undefined && pod.mac !== nic.mac) {
    problems.push(`${ifName} has the MAC ${pod.mac ?? 'none'}, but the guest was told ${nic.mac}`);
  }
  const missing = addresses.filter((address) => !found.includes(address));
  return missing.length === 0 ? problems : [...problems, `${ifName} has no address ${missing.join(', ')} any more`];
}

function judgeDevice({ alias, record }: ExpectedWiring, device: TapDevice, link: Link, pod: Link): string[] {
  const name = describeDevice(device);
  const problems: string[] = [];
  const add = (isWell: boolean, problem: string) => isWell || problems.push(`${name} ${problem}`);
  add(link.index === device.ifIndex, `is another interface than the one that was made (number ${link.index})`);
  add(link.alias === alias, `bears the mark ${JSON.stringify(link.alias ?? '')} in place of "${alias}"`);
  add(link.up, 'is down');
  add(link.mtu === pod.mtu, `has MTU ${link.mtu}, but ${record.ifName} has ${pod.mtu}`);
  if (device.kind === 'macvtap') {
    add(link.kind === 'macvtap' && link.lowerIndex === pod.index, `is no macvtap on ${record.ifName}`);
    add(link.macvtapMode === MACVLAN_MODES[device.mode], `is not in mode ${device.mode}`);
    add(
      record.gaveUp === undefined || link.mac === record.nic?.mac,
      `has the MAC ${link.mac ?? 'none'}, not the guest's`,
    );
    return problems;
  }
  add(link.tap !== undefined, 'is no TAP');
  if (link.tap === undefined) return problems;
  add(
    link.tap.isMultiQueue === device.queues > 1,
    `was made for ${link.tap.isMultiQueue ? 'several queues' : 'one queue'}`,
  );
  add(link.tap.hasVnetHeader, 'has no virtio-net header');
  return problems;
}

/** `to` is undefined where the device is gone: then nothing may lead away any more. */
function judgeRedirect({ link: from, redirect }: WiredLink, to: Link | undefined): string[] {
  const { targets, dangling, foreign } = redirect;
  const right = targets.filter((target) => target === to?.index).length;
  const problems: string[] = [];
  if (dangling > 0) problems.push(`packets of ${from.name} are redirected to no device any more, and lost`);
  if (to !== undefined && right === 0) problems.push(`packets of ${from.name} are not redirected to ${to.name}`);
  if (right > 1) problems.push(`the redirect of ${from.name} is there ${right} times`);
  if (targets.length > right) problems.push(`packets of ${from.name} are redirected to another interface`);
  if (foreign.length > 0)
    problems.push(`a ${foreign.join(' and a ')} filter of others is in the redirect's place on ${from.name}`);
  return problems;
}

/**
 * By what its qdiscs hold back: towards the guest at the device (of a macvtap, at its ifb), from it at the interface.
 */
function judgeLimits(
  { bandwidth, device }: NetworkAttachment,
  pod: WiredLink,
  tap: WiredLink,
  ifb: WiredLink | undefined,
): string[] {
  if (bandwidth === undefined || bandwidth.leftTo !== undefined) return [];
  const problems: string[] = [];
  const isOurs = (wired: WiredLink | undefined): boolean => wired?.root?.owner === 'berth';
  if (bandwidth.egressRate > 0 && !isOurs(pod)) problems.push(`the limit of what leaves by ${pod.link.name} is gone`);
  if (bandwidth.ingressRate === 0) return problems;
  const limiter = device.kind === 'macvtap' ? ifb : tap;
  if (!isOurs(limiter)) problems.push('the limit of what the guest receives is gone');
  return device.kind === 'macvtap' && ifb !== undefined ? [...problems, ...judgeRedirect(pod, ifb.link)] : problems;
}
