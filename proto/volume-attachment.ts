import * as v from 'valibot';
import { parsePodUid, parseVolumeId } from './ids.ts';
import { absolutePath, count, defineRecord, id } from './record.ts';
import { ACCESS_MODES } from './volume-spec.ts';

/** In Kubernetes' words. */
export const VOLUME_MODES = ['Filesystem', 'Block'] as const;
export type VolumeMode = (typeof VOLUME_MODES)[number];

/**
 * /run/berth/volumes/<pod UID>/<key>.json: a volume published at a path for a pod. Written by csi in NodePublishVolume,
 * removed in NodeUnpublishVolume; read by the runtime, which finds there what the placeholder at the path stands for.
 */
export const volumeAttachmentRecord = defineRecord('volume attachment', 2, {
  volumeId: id(parseVolumeId),
  podUid: id(parsePodUid),
  /** `target_path` of NodePublishVolume, as the mount source of a container names it. */
  targetPath: absolutePath,
  /** The volume's directory in its pool. */
  volumeDirectory: absolutePath,
  readOnly: v.boolean(),
  accessMode: v.picklist(ACCESS_MODES),
  /** Mount options of the volume capability, for the mount in the guest. */
  mountFlags: v.array(v.string()),
  publishedAtMs: count,
  volumeMode: v.picklist(VOLUME_MODES),
  /** Block: number of the placeholder's device node, by which the container's device list names the volume. */
  device: v.optional(v.strictObject({ major: count, minor: count })),
  /** Group that is to own the content (VOLUME_MOUNT_GROUP; a pod's fsGroup). */
  fsGroup: v.optional(count),
});
export type VolumeAttachment = ReturnType<typeof volumeAttachmentRecord.decode>;

/** Pod UID under which csi files a publication that names no pod (`podInfoOnMount` is off). */
export const NO_POD = 'none';

/** Of whom a publication is, in a sentence. */
export const describePod = (podUid: string): string =>
  podUid === NO_POD ? 'a pod that was not named' : `pod ${podUid}`;

/** Source of the tmpfs that stands at the target path on the host. */
export const placeholderSource = (volumeId: string): string => `berth:${volumeId}`;
