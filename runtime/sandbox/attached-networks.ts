import { Fault } from '../../proto/fault.ts';
import {
  type NetworkAttachment,
  networkAttachmentKey,
  networkAttachmentRecord,
  tapAlias,
} from '../../proto/network-attachment.ts';
import type { RunPaths } from '../../proto/paths.ts';
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
  { system, readLinkAlias }: Pick<SandboxHost, 'system' | 'readLinkAlias'>,
  run: RunPaths,
  { path, netns }: PodNetns,
): Promise<readonly NetworkAttachment[]> {
  const attachments = await readAll(system, run);
  const here = attachments.filter(({ netnsId }) => netnsId === netns.id);
  for (const attachment of here) checkTap(attachment, readLinkAlias(netns, attachment.tap.name));
  if (here.length > 0) return here;
  const isStale = attachments.some(({ netnsPath }) => netnsPath === path);
  const found = isStale ? 'was wired, but is another namespace now' : 'has no interface that berth wired';
  const message = `network namespace ${path} ${found}; run CNI ADD with berth's plugin last in the chain`;
  throw new Fault('precondition', message, { fields: { netnsPath: path, netnsId: netns.id } });
}

/** A VMM makes a TAP that it does not find: the pod would come up with a network that leads nowhere. */
function checkTap(attachment: NetworkAttachment, alias: string | undefined): void {
  const key = networkAttachmentKey(attachment);
  if (alias === tapAlias(key)) return;
  const { name } = attachment.tap;
  const found = alias === undefined ? `TAP ${name} is gone` : `${name} is not the TAP that berth made`;
  const message = `network attachment ${key}: ${found}; run CNI DEL and ADD again`;
  throw new Fault('precondition', message, { fields: { attachment: key, tap: name } });
}

async function readAll(system: System, run: RunPaths): Promise<readonly NetworkAttachment[]> {
  const names = (await system.list(run.networks)).filter((name) => name.endsWith('.json'));
  const loaded = await Promise.all(
    names.map((name) =>
      recordFile(system, networkAttachmentRecord, `${run.networks}/${name}`, { durable: false }).load(),
    ),
  );
  return loaded.filter((attachment) => attachment !== undefined);
}
