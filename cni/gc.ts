import * as v from 'valibot';
import { asFault, Fault } from '../proto/fault.ts';
import { parseCniContainerId, parseIfName } from '../proto/ids.ts';
import { isTap, type NetworkAttachment, networkAttachmentKey } from '../proto/network-attachment.ts';
import { runPaths } from '../proto/paths.ts';
import { readBootId } from '../runtime/system/boot-id.ts';
import { openNetlink } from '../runtime/system/netlink/socket.ts';
import { attachmentFile } from './attachment-file.ts';
import { checkKeys, type JsonObject, keyFault } from './config-keys.ts';
import { findHeldHere, inUseFault } from './find-held.ts';
import { ensureNoDanDevice } from './kata-dan.ts';
import { enterNetns, enterNetnsOfThread, listNetnsOfThreads, type Netns } from './netns.ts';
import type { Place } from './place.ts';
import { describesInterface } from './plan.ts';
import { findWiring, unwire } from './unwire.ts';
import type { Attachment } from './variables.ts';

/** The second is how libcni spelt it at first, and still does beside. */
const VALID_KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments'] as const;
/** `<network>:<container id>:<ifname>.json`, or what was being written in its place. */
const RECORD_FILE = /^([^:]+):([^:]+):([^:]+)\.json(\.[0-9a-f]{12}\.tmp)?$/;

/** As networkAttachmentKey has them, without the network. */
type ValidAttachments = ReadonlySet<string>;

/**
 * What the container engine still knows; null, as Go writes an empty list, is nothing at all. Throws `invalid` where it
 * does not say: all would go.
 */
export function parseValidAttachments(json: JsonObject): ValidAttachments {
  if (VALID_KEYS.every((key) => json[key] === undefined)) {
    throw keyFault(
      `${VALID_KEYS[0]} is missing: without it every attachment would be taken for a stale one`,
      VALID_KEYS[0],
    );
  }
  const list = v.nullish(v.array(v.looseObject({ containerID: v.string(), ifname: v.string() })));
  const found = checkKeys(v.looseObject({ [VALID_KEYS[0]]: list, [VALID_KEYS[1]]: list }), json);
  const valid = VALID_KEYS.flatMap((key) => found[key] ?? []);
  return new Set(valid.map(({ containerID, ifname }) => `${containerID}:${ifname}`));
}

/**
 * Takes back what ADD did for attachments of this network that are not valid. Each for itself: what cannot be cleared
 * stays with its record, and all of them are reported at the end. Other networks' ADDs may go on meanwhile.
 */
export async function gc(place: Place, valid: ValidAttachments): Promise<void> {
  const { files, log, config } = place;
  const bootId = await readBootId(files);
  let threads: ReadonlyMap<string, string> | undefined;
  const enterPathless = (netnsId: string) => {
    threads ??= listNetnsOfThreads();
    return enterNetnsOfThread(netnsId, threads);
  };
  const problems: { readonly key: string; readonly fault: Fault }[] = [];
  for (const parts of await listStale(place, valid)) {
    const key = networkAttachmentKey({ network: config.network, ...parts });
    try {
      const { containerId, ifName } = parts;
      const attachment = { containerId: parseCniContainerId(containerId), ifName: parseIfName(ifName) };
      await clear(place, attachment, { bootId, enterPathless });
      log.info('stale attachment cleared', { key });
    } catch (error) {
      problems.push({ key, fault: asFault(error, 'internal', 'unexpected error') });
    }
  }
  const [first] = problems;
  if (first === undefined) return;
  // What only has to be waited for is the lesser evil.
  const { fault } = problems.find((problem) => problem.fault.code !== 'busy') ?? first;
  const sentences = problems.map((problem) => `${problem.key}: ${problem.fault.message}`);
  throw new Fault(fault.code, `not cleared: ${sentences.join('; ')}`, { fields: fault.fields, cause: fault.cause });
}

interface KeyParts {
  readonly containerId: string;
  readonly ifName: string;
}

async function listStale({ files, config }: Place, valid: ValidAttachments): Promise<KeyParts[]> {
  const names = await files.list(runPaths(config.runDirectory).networks);
  const stale = new Map<string, KeyParts>();
  for (const name of names) {
    const [, network, containerId = '', ifName = ''] = RECORD_FILE.exec(name) ?? [];
    const key = `${containerId}:${ifName}`;
    if (network !== config.network || valid.has(key)) continue;
    stale.set(key, { containerId, ifName });
  }
  return [...stale.values()];
}

interface Node {
  readonly bootId: string;
  /** Undefined: the namespace is gone. */
  readonly enterPathless: (netnsId: string) => Netns | undefined;
}

async function clear({ files, config }: Place, attachment: Attachment, { bootId, enterPathless }: Node): Promise<void> {
  const file = attachmentFile(files, config, attachment);
  const record = await file.load().catch(sayWhatToRemove);
  if (record !== undefined) {
    const { netnsPath, netnsId, kataDan } = record;
    if (describesInterface(record, { netnsId, bootId })) {
      if (enterNetns(netnsPath, netnsId) !== undefined) await clearNetns(record, true);
      else if (isTap(record.device) && enterPathless(netnsId) !== undefined) await clearNetns(record, false);
    }
    if (kataDan !== undefined) await ensureNoDanDevice(files, kataDan, record.ifName);
  }
  await file.remove();
}

/** What is left of the attachment, and where, the record alone says. */
function sayWhatToRemove(error: unknown): never {
  if (!(error instanceof Fault) || error.code !== 'malformed') throw error;
  const { code, message, fields, cause } = error;
  throw new Fault(code, `${message}; end the pod, then remove the file`, { fields, cause });
}

/**
 * Of the namespace that the process is in. Throws `busy` while a VMM has the device open. One that is not where the
 * record says may be another's, of the same number, which has no device of ours.
 */
async function clearNetns(record: NetworkAttachment, isInPlace: boolean): Promise<void> {
  const netlink = openNetlink();
  try {
    const wired = { key: networkAttachmentKey(record), ifName: record.ifName, record };
    const found = findWiring(netlink, wired);
    const held = findHeldHere(found.devices);
    if (held !== undefined) throw inUseFault(held);
    if (isInPlace || found.devices.length > 0) await unwire(netlink, wired, found);
  } finally {
    netlink.close();
  }
}
