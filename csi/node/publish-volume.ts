import { Fault } from '../../proto/fault.ts';
import { parsePodUid } from '../../proto/ids.ts';
import { NO_POD, type VolumeAttachment } from '../../proto/volume-attachment.ts';
import { isSameDevice } from '../../runtime/system/device-number.ts';
import { type Undo, withUndo } from '../../runtime/system/undo.ts';
import { EPHEMERAL, parseEphemeral } from '../ephemeral-parameters.ts';
import { ensureKataMountInfo, ensureNoKataMountInfo } from '../kata-mount-info.ts';
import type { Empty } from '../messages.ts';
import { ensurePlaceholder } from '../placeholder.ts';
import { ensurePlaceholderLoop, ensurePlaceholderNode } from '../placeholder-device.ts';
import { parseCapability, parsePath, parseText } from '../validate.ts';
import type { Call } from '../verb.ts';
import type { FoundVolume } from '../volumes.ts';
import { devicePlaceholderOf } from './block-files.ts';
import type { NodeContext } from './context.ts';
import type { NodePublishVolumeRequest } from './messages.ts';
import { needsSoleTarget, requireFit, requireSamePublication, requireSoleTarget, toAttachment } from './publication.ts';

const POD_UID = 'csi.storage.k8s.io/pod.uid';

/**
 * CSI 1.12, NodePublishVolume: records which pod may attach the volume, and puts a placeholder at the target. No data are
 * ever mounted on the host. It comes again for every running pod when kubelet starts, and changes nothing then.
 */
export function nodePublishVolume(request: NodePublishVolumeRequest, context: NodeContext): Call<Empty> {
  const volumeId = parseText(request.volume_id, 'volume_id');
  const targetPath = parsePath(request.target_path, 'target_path');
  const capability = parseCapability(request.volume_capability, 'volume_capability');
  const podUid = parsePodUid(request.volume_context[POD_UID] ?? NO_POD, `volume_context["${POD_UID}"]`);
  const isEphemeral = request.volume_context[EPHEMERAL] === 'true';
  if (!isEphemeral) requireStaging(request);
  const inline = isEphemeral
    ? parseEphemeral(volumeId, request.volume_context, capability, context.volumes)
    : undefined;

  return {
    locks: [volumeId, targetPath, ...(inline === undefined ? [] : [inline.spec.volumeId])],
    fields: { volumeId, targetPath, podUid, accessMode: capability.accessMode, volumeMode: capability.volumeMode },
    async run({ log }) {
      await withUndo(log, async (undo) => {
        const found =
          inline === undefined ? context.volumes.require(volumeId) : await context.ephemeral.ensure(inline, undo, log);
        requireFit(found, capability);
        const wanted = toAttachment(found, capability, { targetPath, podUid, readOnly: request.readonly });
        const existing = await findPublication(found, wanted, context);
        await publish({ found, wanted, existing }, context, undo);
      });
      return {};
    },
  };
}

/** CSI 1.12, "NodePublishVolume Errors": staging is required first. */
function requireStaging(request: NodePublishVolumeRequest): void {
  if (request.staging_target_path === '') {
    throw new Fault('precondition', 'staging_target_path is required: the driver has STAGE_UNSTAGE_VOLUME');
  }
  parsePath(request.staging_target_path, 'staging_target_path');
}

/** The same publication, if it was made before. Refuses what it cannot be made beside. */
async function findPublication(
  found: FoundVolume,
  wanted: VolumeAttachment,
  { attachments }: NodeContext,
): Promise<VolumeAttachment | undefined> {
  const [existing] = await attachments.at(wanted.targetPath);
  if (existing !== undefined) requireSamePublication(existing, wanted);
  else if (needsSoleTarget(found)) requireSoleTarget(found, await attachments.ofVolume(wanted.volumeId));
  return existing;
}

interface Step {
  readonly found: FoundVolume;
  readonly wanted: VolumeAttachment;
  readonly existing: VolumeAttachment | undefined;
}

/** The record is there before what stands for the volume is: whoever finds the one finds the other. */
async function publish({ found, wanted, existing }: Step, context: NodeContext, undo: Undo): Promise<void> {
  const { host, attachments } = context;
  const { volumeId, targetPath } = wanted;
  if (wanted.volumeMode === 'Block') {
    const placeholder = devicePlaceholderOf(context.run, targetPath);
    const device = await ensurePlaceholderLoop(host, placeholder, volumeId, existing?.device, undo);
    if (existing === undefined) undo.defer('volume attachment', () => attachments.remove(wanted));
    if (!isSameDevice(existing?.device, device)) await attachments.save({ ...wanted, device });
    return ensurePlaceholderNode(host, placeholder, device, existing?.device, undo);
  }
  if (existing === undefined) {
    undo.defer('volume attachment', () => attachments.remove(wanted));
    await attachments.save(wanted);
  }
  if (found.spec.class.consumer === 'kata') {
    if (existing === undefined) undo.defer("Kata's mount info", () => ensureNoKataMountInfo(targetPath));
    await ensureKataMountInfo(found.spec, wanted);
  }
  await ensurePlaceholder(host, targetPath, volumeId, undo);
}
