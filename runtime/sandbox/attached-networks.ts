import { Fault } from '../../proto/fault.ts';
import {
  describeDevice,
  isTap,
  type NetworkAttachment,
  networkAttachmentKey,
  networkAttachmentRecord,
  tapAlias,
} from '../../proto/network-attachment.ts';
import type { RunPaths } from '../../proto/paths.ts';
import type { Log } from '../system/log.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';
import type { Netns, SandboxHost } from './host.ts';

/** The pod's namespace, and the path by which it was asked for. */
export interface PodNetns {
  readonly path: string;
  readonly netns: Netns;
}

/**
 * The interfaces that CNI ADD wired in the namespace at `path`, whose identity is `id` (`dev:inode`). The identity
 * decides: a path can be reused, and one namespace has several. Fault `precondition` if there is none, since a pod that
 * was promised a network must not come up without.
 */
export async function readNetworks(
  { system, readLinkAliases }: Pick<SandboxHost, 'system' | 'readLinkAliases'>,
  run: RunPaths,
  { path, netns }: PodNetns,
  log: Log,
): Promise<readonly NetworkAttachment[]> {
  const aliases = readLinkAliases(netns);
  const marks = new Set(aliases.values());
  const attachments = await readAll(system, run, (key) => marks.has(tapAlias(key)), log);
  const claiming = attachments.filter(({ netnsId }) => netnsId === netns.id);
  const here = withoutFormer(claiming, aliases);
  for (const attachment of here) checkTap(attachment, aliases);
  if (here.length > 0) return here;
  const isStale = attachments.some(({ netnsPath }) => netnsPath === path);
  const found = isStale ? 'was wired, but is another namespace now' : 'has no interface that berth wired';
  const message = `network namespace ${path} ${found}; run CNI ADD with berth's plugin last in the chain`;
  throw new Fault('precondition', message, { fields: { netnsPath: path, netnsId: netns.id } });
}

/**
 * The kernel gives the inode of a namespace that is gone to the next one: what a pod that ended without CNI DEL has
 * left claims this namespace too. A namespace is one container's. So where a container has its device here, the records
 * of another that has none are of a former namespace.
 */
function withoutFormer(
  claiming: readonly NetworkAttachment[],
  aliases: ReadonlyMap<string, string>,
): readonly NetworkAttachment[] {
  const isHere = (attachment: NetworkAttachment): boolean =>
    isTap(attachment.device) && aliases.get(attachment.device.name) === tapAlias(networkAttachmentKey(attachment));
  const containers = new Set(claiming.filter(isHere).map(({ containerId }) => containerId));
  return containers.size === 0 ? claiming : claiming.filter(({ containerId }) => containers.has(containerId));
}

/** A VMM makes a TAP that it does not find: the pod would come up with a network that leads nowhere. */
function checkTap(attachment: NetworkAttachment, aliases: ReadonlyMap<string, string>): void {
  const { device } = attachment;
  if (!isTap(device)) return;
  const { name } = device;
  const key = networkAttachmentKey(attachment);
  const alias = aliases.get(name);
  if (alias === tapAlias(key)) return;
  const found =
    alias === undefined ? `${describeDevice(device)} is gone` : `${name} is not the ${device.kind} that berth made`;
  const message = `network attachment ${key}: ${found}; run CNI DEL and ADD again`;
  throw new Fault('precondition', message, { fields: { attachment: key, tap: name } });
}

/** A record that cannot be read is a refusal if it has a TAP here; of another pod it is only mentioned. */
async function readAll(
  system: System,
  run: RunPaths,
  isHere: (key: string) => boolean,
  log: Log,
): Promise<readonly NetworkAttachment[]> {
  const found: NetworkAttachment[] = [];
  for (const name of await system.list(run.networks)) {
    if (!name.endsWith('.json')) continue;
    try {
      const path = `${run.networks}/${name}`;
      const attachment = await recordFile(system, networkAttachmentRecord, path, { durable: false }).load();
      if (attachment !== undefined) found.push(attachment);
    } catch (error) {
      if (isHere(name.slice(0, -'.json'.length))) throw error;
      log.warn('a network attachment of another pod cannot be read', { name, error });
    }
  }
  return found;
}
