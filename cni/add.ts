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
import { variableFault } from './codes.ts';
import type { ChainInput, CniResult, NetworkConfig } from './conf.ts';
import type { PodAttachment } from './env.ts';
import { ensureNoFormerRecords } from './former-records.ts';
import { currentNetnsId, enterNetns } from './netns.ts';
import { type AddPlan, planAdd } from './plan.ts';
import { describePodInterface } from './pod-interface.ts';
import { addResult } from './result.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

export interface AddCall {
  readonly files: Files;
  readonly log: Log;
  readonly attachment: PodAttachment;
  readonly config: NetworkConfig;
  readonly chain: ChainInput;
}

/** Wires the pod's interface to a TAP and records what the guest is to take over. Leaves nothing when it fails. */
export async function add(call: AddCall): Promise<CniResult> {
  const { cniVersion, runDirectory } = call.config;
  const { plan, links, netlink, file } = await prepare(call);
  await ensureNoFormerRecords(call, runPaths(runDirectory).networks, plan.wiring, links);
  const { name, mac = '' } = await withUndo(call.log, (undo) => applyPlan(plan, { netlink, file, undo }));
  const { mtu } = plan.nic;
  return addResult(cniVersion, call.chain.prevResult, { name, mac, mtu, sandbox: call.attachment.netnsPath });
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

async function prepare({ files, log, attachment, config, chain }: AddCall): Promise<Prepared> {
  const file = attachmentFile(files, config, attachment);
  const previous = await loadIfReadable(file, log);
  const bootId = await readBootId(files);
  const netnsId = enterPodNetns(attachment.netnsPath);
  const netlink = openNetlink();
  const pod = describePodInterface(netlink, attachment.ifName);
  const request = { network: config.network, attachment, netnsId, bootId, dns: chain.dns };
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
