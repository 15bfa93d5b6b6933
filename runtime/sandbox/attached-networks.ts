import { Fault } from '../../proto/fault.ts';
import { type NetworkAttachment, networkAttachmentRecord } from '../../proto/network-attachment.ts';
import type { RunPaths } from '../../proto/paths.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';

/**
 * The interfaces that CNI ADD wired in the namespace at `path`, whose identity is `id` (`dev:inode`). The identity
 * decides: a path can be reused, and one namespace has several. Fault `precondition` if there is none, since a pod that
 * was promised a network must not come up without.
 */
export async function readNetworks(
  system: System,
  run: RunPaths,
  netns: { readonly path: string; readonly id: string },
): Promise<readonly NetworkAttachment[]> {
  const attachments = await readAll(system, run);
  const here = attachments.filter(({ netnsId }) => netnsId === netns.id);
  if (here.length > 0) return here;
  const isStale = attachments.some(({ netnsPath }) => netnsPath === netns.path);
  const found = isStale ? 'was wired, but is another namespace now' : 'has no interface that berth wired';
  const message = `network namespace ${netns.path} ${found}; run CNI ADD with berth's plugin last in the chain`;
  throw new Fault('precondition', message, { fields: { netnsPath: netns.path, netnsId: netns.id } });
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
