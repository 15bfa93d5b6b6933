import { networkAttachmentKey, tapAlias } from '../proto/network-attachment.ts';
import type { NetworkFeature } from '../proto/network-capabilities.ts';
import { readBootId } from '../runtime/system/boot-id.ts';
import type { Log } from '../runtime/system/log.ts';
import { openNetlink } from '../runtime/system/netlink/socket.ts';
import type { Files } from '../runtime/system/port.ts';
import { Undo, withUndo } from '../runtime/system/undo.ts';
import { applyPlan, type Workplace } from './apply.ts';
import { attachmentFile, loadIfReadable } from './attachment-file.ts';
import { type AskedIdentity, refuseOtherIdentity, withoutPrefix } from './capabilities.ts';
import { noteCapabilities } from './capabilities-file.ts';
import type { ChainInput, CniResult } from './chain-input.ts';
import { addGuestEnd, type Dialect } from './dialect.ts';
import { variableFault } from './error-codes.ts';
import { findHeldHere } from './find-held.ts';
import { currentNetnsId, enterNetns } from './netns.ts';
import type { NetworkConfig } from './network-config.ts';
import { refuseOddDns } from './nic-config.ts';
import { type AddPlan, describesInterface, planAdd } from './plan.ts';
import { describePodInterface } from './pod-interface.ts';
import { findMissing, listReported, listUnplaced } from './reported-addresses.ts';
import { describeReportedInterface } from './reported-interface.ts';
import { addResult, convertResult } from './result.ts';
import { describeSurroundings, findReportedDevice, isElsewhere, readsTimeStamps } from './surroundings.ts';
import type { PodAttachment } from './variables.ts';
import type { WiringConfig } from './wiring-config.ts';

export interface AddCall {
  readonly files: Files;
  readonly log: Log;
  readonly attachment: PodAttachment;
  readonly config: NetworkConfig;
  readonly chain: ChainInput;
  readonly wiring: WiringConfig;
  readonly identity: readonly AskedIdentity[];
  readonly dialect: Dialect;
  readonly kataDanDir: string | undefined;
}

/** Wires the pod's interface to a TAP and records what the guest is to take over. Leaves nothing when it fails. */
export async function add(call: AddCall): Promise<CniResult> {
  const { attachment, config, chain, dialect } = call;
  const { plan, ...place } = await prepare(call);
  if (plan.leftTo !== undefined) call.log.warn('bandwidth is limited already, not limiting it too', { ...plan.leftTo });
  const wire = async (undo: Undo): Promise<CniResult> => {
    const device = await applyPlan(plan, { ...place, undo });
    if (device === undefined) return convertResult(chain.prevResult, config.cniVersion);
    const { name, mac = '' } = device;
    const tap = { name, mac, mtu: plan.nic.mtu, sandbox: attachment.netnsPath };
    const result = addResult(config.cniVersion, chain.prevResult, tap);
    if (dialect.kind === 'plain') return result;
    return addGuestEnd(result, dialect.allIps, { ...attachment, mac: plan.nic.mac });
  };
  // What a VMM has open is not taken from it because an ADD that was repeated has failed.
  const alias = tapAlias(place.earlier.key);
  const inUse = findHeldHere(place.links.filter((link) => link.alias === alias));
  return inUse === undefined ? withUndo(call.log, wire) : wire(new Undo(call.log));
}

/** What ADD would do; nothing is changed. The guest's part is in the record. */
export async function explainAdd(call: AddCall): Promise<Omit<AddPlan, 'nic'>> {
  const { nic: _, ...shown } = (await prepare(call)).plan;
  return shown;
}

interface Prepared extends Omit<Workplace, 'undo'> {
  readonly plan: AddPlan;
}

async function prepare(call: AddCall): Promise<Prepared> {
  const { files, log, attachment, config, chain, wiring, identity, dialect, kataDanDir } = call;
  refuseOddDns(chain.dns);
  const file = attachmentFile(files, config, attachment);
  const previous = await loadIfReadable(file, log);
  const bootId = await readBootId(files);
  const node = {
    node: wiring.bandwidth && openNetlink(),
    readsTimeStamps: await readsTimeStamps(files, wiring),
  };
  const netnsId = enterPodNetns(attachment.netnsPath);
  const netlink = openNetlink();
  // Firecracker opens TAPs alone, whatever else the guest could have.
  const reported = dialect.kind === 'plain' ? findReportedDevice(chain.prevResult, attachment.ifName) : undefined;
  const pod = describePodInterface(netlink, attachment.ifName, () =>
    isElsewhere(reported) ? describeReportedInterface(chain.prevResult, attachment.ifName) : undefined,
  );
  const { untold } = pod;
  if (untold.length > 0) log.warn('the guest keeps for good, or does without, what it cannot be told', { untold });
  const { network } = config;
  const { ifName } = attachment;
  const surroundings = describeSurroundings(wiring, chain.prevResult, pod, { ...node, reported });
  const request = { network, attachment, netnsId, bootId, dns: chain.dns, wiring, surroundings, kataDanDir };
  const plan = planAdd(request, pod, previous);
  refuseOtherIdentity(identity, { link: { ...pod.link, mac: plan.nic.mac }, addresses: plan.nic.addresses });
  warnOfLostAddresses(call, plan);
  const isRecorded = previous !== undefined && describesInterface(previous, { netnsId, bootId });
  const key = networkAttachmentKey({ network, ...attachment });
  const earlier = { key, ifName, record: isRecorded ? previous : undefined };
  const note = (features: Iterable<NetworkFeature>, isPresent: boolean) =>
    noteCapabilities({ files, log, runDirectory: config.runDirectory, bootId }, features, isPresent);
  return { plan, files, links: pod.links, netlink, file, earlier, note };
}

/** Throws `invalid` for what is no address at all. */
function warnOfLostAddresses({ log, attachment, chain }: AddCall, { nic }: AddPlan): void {
  const present = nic.addresses.map(({ address }) => withoutPrefix(address));
  const missing = findMissing(listReported(chain.prevResult, attachment.ifName), present);
  if (missing.length > 0) log.warn('the guest does without addresses that its interface does not have', { missing });
  const unplaced = listUnplaced(chain.prevResult);
  if (unplaced.length > 0) log.warn('prevResult has addresses of interfaces that it does not have', { unplaced });
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
