import { networkAttachmentKey } from '../proto/network-attachment.ts';
import type { Log } from '../runtime/system/log.ts';
import { openNetlink } from '../runtime/system/netlink/socket.ts';
import type { Files } from '../runtime/system/port.ts';
import { readBootId } from './add.ts';
import { attachmentFile, loadIfReadable } from './attachment-file.ts';
import type { NetworkConfig } from './conf.ts';
import type { Attachment } from './env.ts';
import { enterNetns } from './netns.ts';
import { describesInterface } from './plan.ts';
import { unwire } from './unwire.ts';

export interface DelCall {
  readonly files: Files;
  readonly log: Log;
  readonly attachment: Attachment;
  readonly config: NetworkConfig;
}

/**
 * Takes back what ADD did, as far as it is still there. The namespace is looked for at CNI_NETNS and where the record
 * says; one that is gone has taken the TAP with it. The record goes last: until then DEL can be repeated with all it
 * knows.
 */
export async function del({ files, log, attachment, config }: DelCall): Promise<void> {
  const file = attachmentFile(files, config, attachment);
  const record = await loadIfReadable(file, log);
  const bootId = await readBootId(files);
  const key = networkAttachmentKey({ network: config.network, ...attachment });
  for (const path of new Set([attachment.netnsPath, record?.netnsPath])) {
    const netns = path === undefined ? undefined : enterNetns(path);
    if (netns === undefined) continue;
    const isRecorded = record !== undefined && describesInterface(record, { netnsId: netns.id, bootId });
    const netlink = openNetlink();
    unwire(netlink, { key, ifName: attachment.ifName, record: isRecorded ? record : undefined });
    netlink.close();
  }
  await file.remove();
}
