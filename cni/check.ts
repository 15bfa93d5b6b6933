import { Fault } from '../proto/fault.ts';
import { isTap, type NetworkAttachment, networkAttachmentKey, tapAlias } from '../proto/network-attachment.ts';
import { readBootId } from '../runtime/system/boot-id.ts';
import { listAddresses } from '../runtime/system/netlink/address.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { type Link, listLinks } from '../runtime/system/netlink/link.ts';
import { findQdiscs } from '../runtime/system/netlink/qdisc.ts';
import { listIngressFilters, toRedirect } from '../runtime/system/netlink/redirect.ts';
import { openNetlink } from '../runtime/system/netlink/socket.ts';
import { attachmentFile } from './attachment-file.ts';
import { parseAskedAddress, withoutPrefix } from './capabilities.ts';
import type { CniResult } from './chain-input.ts';
import { judgeWiring, type WiredLink, type WiringFacts } from './check-wiring.ts';
import { ifbName } from './device-names.ts';
import { variableFault } from './error-codes.ts';
import { findHeldHere } from './find-held.ts';
import { hasDanDevice } from './kata-dan.ts';
import { enterNetns } from './netns.ts';
import type { Place } from './place.ts';
import { listReported } from './reported-addresses.ts';
import type { PodAttachment } from './variables.ts';

export interface CheckCall extends Place {
  readonly attachment: PodAttachment;
  readonly prevResult: CniResult;
}

/** Throws what is not as ADD has left it; changes nothing. Whether a VMM is there yet is only told. */
export async function check(call: CheckCall): Promise<void> {
  const { files, log, attachment, config, prevResult } = call;
  const key = networkAttachmentKey({ network: config.network, ...attachment });
  const record = await loadReady(call, key);
  if (enterNetns(attachment.netnsPath, record.netnsId) === undefined) {
    throw variableFault(
      `CNI_NETNS is ${attachment.netnsPath}, which is not the network namespace that ADD wired for ${key}`,
    );
  }
  const facts = describeWiring(openNetlink(), record);
  const reported = listReported(prevResult, attachment.ifName);
  const addresses = reported.map((address) => parseAskedAddress('prevResult.ips', address));
  const problems = judgeWiring({ record, alias: tapAlias(key), addresses }, facts);
  const { kataDan, ifName } = record;
  if (kataDan !== undefined && !(await hasDanDevice(files, kataDan, ifName)))
    problems.push(`${kataDan} has no ${ifName}`);
  if (problems.length > 0) throw new Fault('precondition', `${key}: ${problems.join('; ')}: make the pod anew`);
  const device = facts.device?.link;
  if (device !== undefined && findHeldHere([device]) === undefined)
    log.info('no VMM has the device open', { device: device.name });
}

async function loadReady({ files, attachment, config }: CheckCall, key: string): Promise<NetworkAttachment> {
  const file = attachmentFile(files, config, attachment);
  const record = await file.load();
  if (record === undefined) {
    throw new Fault('not-found', `there is no record of ${key} (${file.path}): make the pod anew, or mend runDir`);
  }
  if (record.state === 'wiring') {
    throw new Fault('busy', `ADD of ${key} is at work, or was killed: try again, then make the pod anew`);
  }
  if (record.bootId === (await readBootId(files))) return record;
  throw new Fault('precondition', `the record of ${key} is of a former boot: make the pod anew`);
}

function describeWiring(netlink: Netlink, record: NetworkAttachment): WiringFacts {
  const links = listLinks(netlink);
  const { device, bandwidth, ifIndex } = record;
  const describe = (found: (link: Link) => boolean): WiredLink | undefined => {
    const link = links.find(found);
    if (link === undefined) return undefined;
    const { root } = bandwidth === undefined ? {} : findQdiscs(netlink, link);
    return { link, root, redirect: toRedirect(listIngressFilters(netlink, link)) };
  };
  const pod = describe(({ index }) => index === ifIndex);
  return {
    pod,
    addresses: pod === undefined ? [] : listAddresses(netlink, pod.link).map(({ address }) => withoutPrefix(address)),
    device: isTap(device) ? describe(({ name }) => name === device.name) : undefined,
    ifb: bandwidth === undefined ? undefined : describe(({ name }) => name === ifbName(ifIndex)),
  };
}
