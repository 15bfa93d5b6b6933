import { ensureNoKataMountInfo } from '../kata-mount-info.ts';
import type { Empty } from '../messages.ts';
import { ensureNoPlaceholder } from '../placeholder.ts';
import { ensureNoPlaceholderDevice } from '../placeholder-device.ts';
import { findTarget } from '../target-path.ts';
import { parsePath, parseText } from '../validate.ts';
import type { Call } from '../verb.ts';
import { devicePlaceholderOf } from './block-files.ts';
import type { NodeContext } from './context.ts';
import type { NodeUnpublishVolumeRequest } from './messages.ts';

/**
 * CSI 1.12, NodeUnpublishVolume: nothing stays, or it is an error, as kubelet believes an OK. The VM may still run and
 * keep the disk: its lease is its own. A volume that is not there any more is no obstacle.
 */
export function nodeUnpublishVolume(request: NodeUnpublishVolumeRequest, context: NodeContext): Call<Empty> {
  const volumeId = parseText(request.volume_id, 'volume_id');
  const targetPath = parsePath(request.target_path, 'target_path');
  const inline = context.ephemeral.find(volumeId);
  return {
    locks: [volumeId, targetPath, ...(inline === undefined ? [] : [inline.spec.volumeId])],
    fields: { volumeId, targetPath },
    async run({ log }) {
      await unpublish(inline?.spec.volumeId ?? volumeId, targetPath, context);
      if (inline === undefined) return {};
      const isPublished = (await context.attachments.ofVolume(inline.spec.volumeId)).length > 0;
      if (!isPublished) await context.ephemeral.release(inline, log);
      return {};
    },
  };
}

async function unpublish(volumeId: string, targetPath: string, context: NodeContext): Promise<void> {
  const { host, attachments, measurements, run } = context;
  const records = (await attachments.at(targetPath)).filter((record) => record.volumeId === volumeId);
  const [record] = records;
  if (record?.volumeMode === 'Block' || (record === undefined && !(await isDirectory(targetPath)))) {
    await ensureNoPlaceholderDevice(host, devicePlaceholderOf(run, targetPath), record?.device);
  }
  if (record?.volumeMode !== 'Block') {
    await ensureNoPlaceholder(host, targetPath, volumeId);
    if (mayBeOfKata(volumeId, context)) await ensureNoKataMountInfo(targetPath);
  }
  for (const each of records) await attachments.remove(each);
  if (record !== undefined && attachments.knownOf(volumeId).length === 0) measurements.delete(record.volumeId);
}

/** Without a record, what was published shows in what is found: a server may have been killed between the two. */
async function isDirectory(targetPath: string): Promise<boolean> {
  return (await findTarget(targetPath))?.found?.isDirectory() ?? false;
}

/** So may one that is not there any more, or whose record cannot be read: that keeps no pod from ending. */
function mayBeOfKata(volumeId: string, { volumes }: NodeContext): boolean {
  const location = volumes.locate(volumeId);
  if (location.kind !== 'here' || location.pool.unreadable.has(volumeId)) return true;
  const spec = location.pool.find(location.volumeId);
  return spec === undefined || spec.class.consumer === 'kata';
}
