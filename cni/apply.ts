import { assertNever, Fault } from '../proto/fault.ts';
import { isTap, type NetworkAttachment } from '../proto/network-attachment.ts';
import type { NetworkFeature } from '../proto/network-capabilities.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, ensureNoLink, findLink, type Link, listLinks } from '../runtime/system/netlink/link.ts';
import { ensureIngress, replaceQueue, replaceTokenBucket } from '../runtime/system/netlink/qdisc.ts';
import { ensureNoRedirect, ensureRedirect, listIngressFilters } from '../runtime/system/netlink/redirect.ts';
import type { Files } from '../runtime/system/port.ts';
import type { RecordFile } from '../runtime/system/record-file.ts';
import type { Undo } from '../runtime/system/undo.ts';
import { findHeldHere, inUseFault } from './find-held.ts';
import { giveUpIdentity, restoreIdentity } from './give-up-identity.ts';
import { ensureDanDevice, ensureNoDanDevice } from './kata-dan.ts';
import { ensureIfb, ensureMacvtap } from './macvtap.ts';
import type { AddPlan } from './plan.ts';
import { retryBusy } from './retry-busy.ts';
import { sleep } from './sleep.ts';
import { ensureTap } from './tap.ts';
import { ensureNoOwnRoot, findWiring, unwire, type Wired } from './unwire.ts';
import type { Step } from './wire.ts';

export interface Workplace {
  readonly files: Files;
  /** Of the pod's namespace, which the process is in. */
  readonly netlink: Netlink;
  /** All of that namespace. */
  readonly links: readonly Link[];
  readonly file: RecordFile<NetworkAttachment>;
  readonly undo: Undo;
  /** What an earlier ADD has left. */
  readonly earlier: Wired;
  /** Tells STATUS what the kernel was found to have or to lack. */
  note(features: Iterable<NetworkFeature>, isPresent: boolean): Promise<void>;
}

/** What a step needs of the kernel. */
const FEATURE_OF_STEP: Partial<Record<Step['do'], NetworkFeature>> = {
  'make-tap': 'tun',
  'make-macvtap': 'macvtap',
  'make-ifb': 'ifb',
  limit: 'tbf',
  'add-ingress': 'redirect',
  redirect: 'redirect',
};

/** Carries out a plan, step by step, and answers the device as it was made. A throw leaves the rest to `undo`. */
export async function applyPlan(plan: AddPlan, workplace: Workplace): Promise<Link | undefined> {
  const links = new Map(workplace.links.map((link) => [link.name, link]));
  for (const step of plan.steps) {
    try {
      await applyStep(step, plan, links, workplace);
    } catch (error) {
      const feature = FEATURE_OF_STEP[step.do];
      const isLack = error instanceof Fault && error.code === 'environment';
      if (isLack && feature !== undefined) await workplace.note([feature], false);
      throw error;
    }
  }
  await workplace.note(new Set(plan.steps.flatMap((step) => FEATURE_OF_STEP[step.do] ?? [])), true);
  return isTap(plan.wiring.device) ? links.get(plan.wiring.device.name) : undefined;
}

/** The interfaces that steps name. What vanishes meanwhile, the kernel says at the next request. */
type Links = Map<string, Link>;

async function applyStep(step: Step, plan: AddPlan, links: Links, workplace: Workplace): Promise<void> {
  const { files, netlink, file, undo } = workplace;
  const { wiring, nic } = plan;
  const ingressOf = (name: string) => wiring.ownsIngress && name === wiring.ifName;
  switch (step.do) {
    case 'unwire': {
      const found = findWiring(netlink, workplace.earlier);
      const inUse = findHeldHere(found.devices);
      if (inUse !== undefined) throw inUseFault(inUse);
      await unwire(netlink, workplace.earlier, found);
      links.clear();
      for (const link of listLinks(netlink)) links.set(link.name, link);
      return;
    }
    case 'record-wiring':
      undo.defer('record', async () => {
        await file.remove();
      });
      return file.save(wiring);
    case 'give-up-identity': {
      const link = linkOf(links, wiring.ifName);
      undo.defer('identity', () => restoreIdentity(netlink, link, wiring));
      return giveUpIdentity(netlink, link, step.spareMac);
    }
    case 'make-tap':
      undo.defer('tap', () => deleteMarked(netlink, step.tap, step.spec.alias));
      links.set(step.tap, ensureTap(netlink, step.tap, step.spec, links.get(step.tap)));
      return;
    case 'make-macvtap': {
      const pod = linkOf(links, wiring.ifName);
      undo.defer('macvtap', () => deleteMarked(netlink, step.tap, step.spec.alias));
      links.set(step.tap, ensureMacvtap(netlink, step.tap, step.spec, { pod, present: links.get(step.tap) }));
      return;
    }
    case 'make-ifb':
      undo.defer('ifb', () => deleteMarked(netlink, step.ifb, step.alias));
      links.set(step.ifb, ensureIfb(netlink, step.ifb, step.alias, links.get(step.ifb)));
      return;
    case 'queue':
      return replaceQueue(netlink, linkOf(links, step.on));
    case 'limit': {
      const link = linkOf(links, step.on);
      if (step.on === wiring.ifName) undo.defer(`limit of ${step.on}`, () => ensureNoOwnRoot(netlink, link));
      return replaceTokenBucket(netlink, link, step.bucket);
    }
    case 'raise':
      return changeLink(netlink, linkOf(links, step.link), { up: true });
    case 'add-ingress': {
      const link = linkOf(links, step.to);
      undo.defer(`ingress of ${step.to}`, () =>
        ensureNoRedirect(netlink, link, { targets: [], ownsIngress: ingressOf(step.to) }),
      );
      return retryBusy(sleep, () => ensureIngress(netlink, link));
    }
    case 'redirect': {
      const from = linkOf(links, step.from);
      const to = linkOf(links, step.to);
      undo.defer(`redirect of ${step.from}`, () =>
        ensureNoRedirect(netlink, from, { targets: [to.index], ownsIngress: ingressOf(step.from) }),
      );
      return ensureRedirect(netlink, from, to, step.isFirst ? [] : listIngressFilters(netlink, from));
    }
    case 'tell-kata': {
      const { ifName, netnsPath, device } = wiring;
      undo.defer('word to Kata', () => ensureNoDanDevice(files, step.path, ifName));
      return ensureDanDevice(files, step.path, { ifName, netnsPath, nic, device });
    }
    case 'record-ready': {
      const { device } = wiring;
      const made = isTap(device) ? { ...device, ifIndex: linkOf(links, device.name).index } : device;
      return file.save({ ...wiring, state: 'ready', device: made, nic });
    }
    default:
      return assertNever(step);
  }
}

function linkOf(links: Links, name: string): Link {
  const link = links.get(name);
  if (link === undefined) throw new Fault('internal', `a step of the plan needs ${name} before it is there`);
  return link;
}

/** Of an undo: what bears our alias. A TAP that has none yet is gone with its descriptor. */
function deleteMarked(netlink: Netlink, name: string, alias: string): void {
  const link = findLink(netlink, name);
  if (link?.alias === alias) ensureNoLink(netlink, link);
}
