import { isTap, type NetworkAttachment, networkAttachmentKey } from '../proto/network-attachment.ts';
import { readBootId } from '../runtime/system/boot-id.ts';
import type { Log } from '../runtime/system/log.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { openNetlink } from '../runtime/system/netlink/socket.ts';
import type { Files } from '../runtime/system/port.ts';
import { attachmentFile, loadIfReadable } from './attachment-file.ts';
import { findHeldHere, inUseFault } from './find-held.ts';
import { danPath, ensureNoDanDevice } from './kata-dan.ts';
import { enterNetns, enterNetnsOfThread } from './netns.ts';
import type { NetworkConfig } from './network-config.ts';
import { describesInterface } from './plan.ts';
import { sleep } from './sleep.ts';
import { type FoundWiring, findWiring, unwire, type Wired } from './unwire.ts';
import type { Attachment } from './variables.ts';

/** How long the end of a VMM is waited for: a killed one has its memory to give back before it closes anything. */
const RELEASE_TRIALS = 40;
const RELEASE_STEP_MS = 25;

export interface DelCall {
  readonly files: Files;
  readonly log: Log;
  readonly attachment: Attachment;
  readonly config: NetworkConfig;
  readonly kataDanDir: string | undefined;
}

/**
 * Takes back what ADD did, as far as it is still there. The namespace is looked for at CNI_NETNS and where the record
 * says, and then by who is in it; one that is gone has taken the device with it. The record goes last: until then DEL
 * can be repeated with all it knows. While a VMM has the device open nothing is taken back, and the answer is Fault
 * `busy`: DEL comes before that of the plugins before, which would give the pod's address to another pod while this one
 * still speaks.
 */
export async function del({ files, log, attachment, config, kataDanDir }: DelCall): Promise<void> {
  const file = attachmentFile(files, config, attachment);
  const record = await loadIfReadable(file, log);
  const bootId = await readBootId(files);
  const key = networkAttachmentKey({ network: config.network, ...attachment });
  const entered = new Set<string>();
  for (const path of new Set([attachment.netnsPath, record?.netnsPath])) {
    const netns = path === undefined ? undefined : enterNetns(path);
    if (netns === undefined) continue;
    entered.add(netns.id);
    const isRecorded = record !== undefined && describesInterface(record, { netnsId: netns.id, bootId });
    const netlink = openNetlink();
    const wired = { key, ifName: attachment.ifName, record: isRecorded ? record : undefined };
    await unwire(netlink, wired, await findReleased(netlink, wired));
    netlink.close();
  }
  if (record?.bootId === bootId && !entered.has(record.netnsId)) await clearPathless(key, record);
  const configured = kataDanDir === undefined ? undefined : danPath(kataDanDir, attachment.containerId);
  for (const path of new Set([configured, record?.kataDan])) {
    if (path !== undefined) await ensureNoDanDevice(files, path, attachment.ifName);
  }
  await file.remove();
}

/** Of a namespace whose path is gone, which a VMM keeps alive, and others may. */
async function clearPathless(key: string, record: NetworkAttachment): Promise<void> {
  if (!isTap(record.device) || enterNetnsOfThread(record.netnsId) === undefined) return;
  const netlink = openNetlink();
  const wired = { key, ifName: record.ifName, record };
  const found = await findReleased(netlink, wired);
  // Its number may be another namespace's by now, which has nothing of ours.
  if (found.devices.length > 0) await unwire(netlink, wired, found);
  netlink.close();
}

async function findReleased(netlink: Netlink, wired: Wired): Promise<FoundWiring> {
  for (let trial = 1; ; trial += 1) {
    const found = findWiring(netlink, wired);
    const held = findHeldHere(found.devices);
    if (held === undefined) return found;
    if (trial === RELEASE_TRIALS) throw inUseFault(held);
    await sleep(RELEASE_STEP_MS);
  }
}
