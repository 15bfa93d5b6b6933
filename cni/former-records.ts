import {
  type NetworkAttachment,
  networkAttachmentKey,
  networkAttachmentRecord,
  tapAlias,
} from '../proto/network-attachment.ts';
import type { Log } from '../runtime/system/log.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { Files } from '../runtime/system/port.ts';
import { recordFile } from '../runtime/system/record-file.ts';
import { loadIfReadable } from './attachment-file.ts';

/**
 * Removes records of other containers that claim the namespace of `wiring` though their TAP is not in it. The kernel
 * gives the inode of a namespace that is gone to the next one at once: what a pod without DEL has left would speak of
 * this pod, which the runtime then refuses. `links` are all of the namespace.
 */
export async function ensureNoFormerRecords(
  { files, log }: { readonly files: Files; readonly log: Log },
  directory: string,
  wiring: NetworkAttachment,
  links: readonly Link[],
): Promise<void> {
  for (const name of await files.list(directory)) {
    const path = `${directory}/${name}`;
    // A node has many pods and an ADD little time: records that cannot matter are not decoded.
    const text = name.endsWith('.json') ? new TextDecoder().decode(await files.readFile(path)) : '';
    if (!text.includes(wiring.netnsId)) continue;
    const file = recordFile(files, networkAttachmentRecord, path, { durable: false });
    const record = await loadIfReadable(file, log);
    if (record === undefined || !isFormer(record, wiring, links)) continue;
    log.warn('record is of a namespace that is gone, removing it', { path });
    await file.remove();
  }
}

/** A namespace is one container's: its other interfaces bear the same id. */
function isFormer(record: NetworkAttachment, wiring: NetworkAttachment, links: readonly Link[]): boolean {
  if (record.netnsId !== wiring.netnsId || record.containerId === wiring.containerId) return false;
  const alias = tapAlias(networkAttachmentKey(record));
  return links.every((link) => link.alias !== alias);
}
