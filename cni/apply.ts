import { assertNever, Fault } from '../proto/fault.ts';
import { isTap, type NetworkAttachment } from '../proto/network-attachment.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, ensureNoLink, findLink, type Link, type LinkRef } from '../runtime/system/netlink/link.ts';
import { ensureIngress, ensureNoEmptyIngress, ensureNoRedirect, ensureRedirect } from '../runtime/system/netlink/tc.ts';
import type { RecordFile } from '../runtime/system/record-file.ts';
import type { Undo } from '../runtime/system/undo.ts';
import type { AddPlan, Step } from './plan.ts';
import { ensureTap, silenceTap } from './tap.ts';

export interface Workplace {
  /** Of the pod's namespace, which the process is in. */
  readonly netlink: Netlink;
  readonly file: RecordFile<NetworkAttachment>;
  readonly undo: Undo;
}

/** Carries out a plan, step by step, and answers the TAP as it was made. A throw leaves the rest to `undo`. */
export async function applyPlan(plan: AddPlan, workplace: Workplace): Promise<Link> {
  const { ifName, ifIndex } = plan.wiring;
  const ends: Ends = { pod: { name: ifName, index: ifIndex }, tap: undefined };
  for (const step of plan.steps) await applyStep(step, plan, ends, workplace);
  return tapOf(ends);
}

/** The two interfaces of a plan, whose steps name them. What vanishes meanwhile, the kernel says at the next request. */
interface Ends {
  readonly pod: LinkRef;
  /** Once it is there. */
  tap: Link | undefined;
}

async function applyStep(step: Step, plan: AddPlan, ends: Ends, { netlink, file, undo }: Workplace): Promise<void> {
  switch (step.do) {
    case 'record-wiring':
      undo.defer('record', async () => {
        await file.remove();
      });
      return file.save(plan.wiring);
    case 'make-tap':
      undo.defer('tap', () => {
        const tap = findLink(netlink, step.tap);
        if (tap?.alias === step.alias) ensureNoLink(netlink, tap);
      });
      ends.tap = ensureTap(netlink, step.tap, step.alias);
      return;
    case 'raise-tap': {
      const tap = tapOf(ends);
      silenceTap(netlink, tap);
      return changeLink(netlink, tap, { mtu: step.mtu, up: true });
    }
    case 'add-ingress': {
      const link = end(ends, step.to);
      undo.defer(`ingress of ${step.to}`, () => ensureNoEmptyIngress(netlink, link));
      return ensureIngress(netlink, link);
    }
    case 'redirect': {
      const from = end(ends, step.from);
      const to = end(ends, step.to);
      undo.defer(`redirect of ${step.from}`, () => ensureNoRedirect(netlink, from, [to.index]));
      return ensureRedirect(netlink, from, to);
    }
    case 'record-ready': {
      const { wiring, nic } = plan;
      const { index } = tapOf(ends);
      const device = isTap(wiring.device) ? { ...wiring.device, ifIndex: index } : wiring.device;
      return file.save({ ...wiring, state: 'ready', device, nic });
    }
    default:
      return assertNever(step);
  }
}

const end = (ends: Ends, name: string): LinkRef => (name === ends.pod.name ? ends.pod : tapOf(ends));

function tapOf({ tap }: Ends): Link {
  if (tap === undefined) throw new Fault('internal', 'a step of the plan needs the TAP before it is made');
  return tap;
}
