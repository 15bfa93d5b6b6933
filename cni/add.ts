import { Fault } from '../proto/fault.ts';
import type { NetworkAttachment } from '../proto/network-attachment.ts';
import { runPaths } from '../proto/paths.ts';
import type { Log } from '../runtime/system/log.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import { openNetlink } from '../runtime/system/netlink/socket.ts';
import type { Files } from '../runtime/system/port.ts';
import type { RecordFile } from '../runtime/system/record-file.ts';
import { withUndo } from '../runtime/system/undo.ts';
import { applyPlan } from './apply.ts';
import { attachmentFile, loadIfReadable } from './attachment-file.ts';
import { type AskedIdentity, refuseOtherIdentity } from './capabilities.ts';
import { variableFault } from './codes.ts';
import type { ChainInput, CniResult, NetworkConfig } from './conf.ts';
import { addGuestEnd, type Dialect } from './dialect.ts';
import type { PodAttachment } from './env.ts';
import { ensureNoFormerRecords } from './former-records.ts';
import { currentNetnsId, enterNetns } from './netns.ts';
import { type AddPlan, planAdd } from './plan.ts';
import { describePodInterface } from './pod-interface.ts';
import { addResult } from './result.ts';
import type { WiringConfig } from './wiring-config.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export interface AddCall {
  readonly files: Files;
  readonly log: Log;
  readonly attachment: PodAttachment;
  readonly config: NetworkConfig;
  readonly chain: ChainInput;
  readonly wiring: WiringConfig;
  readonly identity: readonly AskedIdentity[];
  readonly dialect: Dialect;
}

/** Wires the pod's interface to a TAP and records what the guest is to take over. Leaves nothing when it fails. */
export async function add(call: AddCall): Promise<CniResult> {
  const { attachment, config, chain, dialect } = call;
  const { plan, links, netlink, file } = await prepare(call);
  await ensureNoFormerRecords(call, runPaths(config.runDirectory).networks, plan.wiring, links);
  return withUndo(call.log, async (undo) => {
    const { name, mac = '' } = await applyPlan(plan, { netlink, file, undo });
    const tap = { name, mac, mtu: plan.nic.mtu, sandbox: attachment.netnsPath };
    const result = addResult(config.cniVersion, chain.prevResult, tap);
    if (dialect.kind === 'plain') return result;
    return addGuestEnd(result, dialect.allIps, { ...attachment, mac: plan.nic.mac });
  });
}

/** What ADD would do; nothing is changed. */
export async function explainAdd(call: AddCall): Promise<AddPlan> {
  return (await prepare(call)).plan;
}

interface Prepared {
  readonly plan: AddPlan;
  /** All of the pod's namespace. */
  readonly links: readonly Link[];
  /** Of the pod's namespace, which the process is in from here on. */
  readonly netlink: Netlink;
  readonly file: RecordFile<NetworkAttachment>;
}

async function prepare({ files, log, attachment, config, chain, wiring, identity }: AddCall): Promise<Prepared> {
  const file = attachmentFile(files, config, attachment);
  const previous = await loadIfReadable(file, log);
  const bootId = await readBootId(files);
  const netnsId = enterPodNetns(attachment.netnsPath);
  const netlink = openNetlink();
  const pod = describePodInterface(netlink, attachment.ifName);
  refuseOtherIdentity(identity, pod);
  const request = { network: config.network, attachment, netnsId, bootId, dns: chain.dns, wiring };
  return { plan: planAdd(request, pod, previous), links: pod.links, netlink, file };
}

function enterPodNetns(path: string): string {
  const own = currentNetnsId();
  const netns = enterNetns(path);
  if (netns === undefined)
    throw variableFault(`CNI_NETNS is ${JSON.stringify(path)}, where there is no network namespace`);
  if (netns.id === own) {
    throw variableFault(
      `CNI_NETNS is ${JSON.stringify(path)}, the plugin's own network namespace: a VM needs one of its own`,
    );
  }
  return netns.id;
}

export async function readBootId(files: Files): Promise<string> {
  const bytes = await files.readFile(BOOT_ID);
  if (bytes === undefined) throw new Fault('environment', `${BOOT_ID} is not there: mount /proc`);
  return new TextDecoder().decode(bytes).trim();
}
