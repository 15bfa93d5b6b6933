import { assertNever, Fault } from '../proto/fault.ts';
import type { NetworkAttachment } from '../proto/network-attachment.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, ensureNoLink, findLink, type Link } from '../runtime/system/netlink/link.ts';
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

/** Carries out a plan, step by step, and answers the TAP. A throw leaves the rest to `undo`. */
export async function applyPlan(plan: AddPlan, workplace: Workplace): Promise<Link> {
  for (const step of plan.steps) await applyStep(step, plan, workplace);
  return present(workplace.netlink, plan.wiring.tap.name);
}

async function applyStep(step: Step, plan: AddPlan, { netlink, file, undo }: Workplace): Promise<void> {
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
      ensureTap(netlink, step.tap, step.alias);
      return;
    case 'raise-tap': {
      const tap = present(netlink, step.tap);
      silenceTap(netlink, tap);
      return changeLink(netlink, tap, { mtu: step.mtu, up: true });
    }
    case 'add-ingress': {
      const link = present(netlink, step.to);
      undo.defer(`ingress of ${step.to}`, () => ensureNoEmptyIngress(netlink, link));
      return ensureIngress(netlink, link);
    }
    case 'redirect': {
      const from = present(netlink, step.from);
      const to = present(netlink, step.to);
      undo.defer(`redirect of ${step.from}`, () => ensureNoRedirect(netlink, from, [to.index]));
      return ensureRedirect(netlink, from, to);
    }
    case 'record-ready': {
      const { wiring, nic } = plan;
      const { index: ifIndex } = present(netlink, wiring.tap.name);
      return file.save({ ...wiring, state: 'ready', tap: { ...wiring.tap, ifIndex }, nic });
    }
    default:
      return assertNever(step);
  }
}

function present(netlink: Netlink, name: string): Link {
  const link = findLink(netlink, name);
  if (link === undefined) throw new Fault('not-found', `interface ${name} vanished while it was being wired`);
  return link;
}
