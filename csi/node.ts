import { Fault } from '../proto/fault.ts';
import { type PodUid, parsePodUid } from '../proto/ids.ts';
import { describePod, NO_POD, type VolumeAttachment } from '../proto/volume-attachment.ts';
import { withUndo } from '../runtime/system/undo.ts';
import type { Attachments } from './attachments.ts';
import type {
  Empty,
  NodeGetCapabilitiesResponse,
  NodeGetInfoResponse,
  NodePublishVolumeRequest,
  NodeStageVolumeRequest,
  NodeUnpublishVolumeRequest,
  NodeUnstageVolumeRequest,
} from './messages.ts';
import { ensureNoPlaceholder, ensurePlaceholder } from './placeholder.ts';
import * as validate from './validate.ts';
import { type Call, constant, type Service } from './verb.ts';
import { describeMismatch } from './volume-mismatch.ts';
import type { FoundVolume, Volumes } from './volumes.ts';

const POD_UID = 'csi.storage.k8s.io/pod.uid';

/** The Node service: tells the runtime which volumes a pod may attach. No data are ever mounted on the host. */
export function createNode(nodeId: string, volumes: Volumes, attachments: Attachments) {
  return {
    NodeStageVolume: (request: NodeStageVolumeRequest): Call<Empty> => stageVolume(request, volumes),
    NodeUnstageVolume: (request: NodeUnstageVolumeRequest): Call<Empty> => unstageVolume(request),
    NodePublishVolume: (request: NodePublishVolumeRequest): Call<Empty> => publishVolume(request, volumes, attachments),
    NodeUnpublishVolume: (request: NodeUnpublishVolumeRequest): Call<Empty> => unpublishVolume(request, attachments),
    NodeGetCapabilities: constant<NodeGetCapabilitiesResponse>({
      capabilities: [{ rpc: { type: 'STAGE_UNSTAGE_VOLUME' } }, { rpc: { type: 'SINGLE_NODE_MULTI_WRITER' } }],
    }),
    NodeGetInfo: constant<NodeGetInfoResponse>({ node_id: nodeId }),
  } satisfies Service;
}

/** Staging has no effect: the disk goes to the VM, and only there it is mounted. It is where a wrong request shows early. */
function stageVolume(request: NodeStageVolumeRequest, volumes: Volumes): Call<Empty> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  const stagingPath = validate.parsePath(request.staging_target_path, 'staging_target_path');
  const capability = validate.parseCapability(request.volume_capability, 'volume_capability');
  return {
    locks: [volumeId],
    fields: { volumeId, stagingPath },
    async run() {
      requireFit(await volumes.require(volumeId), capability);
      return {};
    },
  };
}

function unstageVolume(request: NodeUnstageVolumeRequest): Call<Empty> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  const stagingPath = validate.parsePath(request.staging_target_path, 'staging_target_path');
  return { locks: [volumeId], fields: { volumeId, stagingPath }, run: async () => ({}) };
}

function publishVolume(request: NodePublishVolumeRequest, volumes: Volumes, attachments: Attachments): Call<Empty> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  const targetPath = validate.parsePath(request.target_path, 'target_path');
  const capability = validate.parseCapability(request.volume_capability, 'volume_capability');
  const podUid = parsePodUid(request.volume_context[POD_UID] ?? NO_POD, `volume_context["${POD_UID}"]`);
  if (request.staging_target_path === '') {
    // CSI 1.12, "NodePublishVolume Errors": staging is required first.
    throw new Fault('precondition', 'staging_target_path is required: the driver has STAGE_UNSTAGE_VOLUME');
  }
  validate.parsePath(request.staging_target_path, 'staging_target_path');

  return {
    locks: [volumeId],
    fields: { volumeId, targetPath, podUid, accessMode: capability.accessMode },
    async run({ log }) {
      const found = await volumes.require(volumeId);
      requireFit(found, capability);
      const wanted = toAttachment(found, capability, { targetPath, podUid, readOnly: request.readonly });
      const before = await attachments.all();
      const existing = before.find((attachment) => attachment.targetPath === targetPath);
      if (existing === undefined) requireSoleWriter(before, wanted);
      else requireSamePublication(existing, wanted);
      await withUndo(log, async (undo) => {
        if (existing === undefined) {
          undo.defer('volume attachment', () => attachments.remove(wanted));
          await attachments.save(wanted);
        }
        await ensurePlaceholder(targetPath, volumeId, undo);
      });
      return {};
    },
  };
}

/** The VM may still run and keep the disk: its lease is its own. A volume that is not there any more is no obstacle. */
function unpublishVolume(request: NodeUnpublishVolumeRequest, attachments: Attachments): Call<Empty> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  const targetPath = validate.parsePath(request.target_path, 'target_path');
  return {
    locks: [volumeId],
    fields: { volumeId, targetPath },
    async run() {
      await ensureNoPlaceholder(targetPath, volumeId);
      for (const record of await attachments.at(targetPath)) {
        if (record.volumeId === volumeId) await attachments.remove(record);
      }
      return {};
    },
  };
}

function toAttachment(
  { pool, spec }: FoundVolume,
  { accessMode, mountFlags }: validate.Capability,
  publication: { targetPath: string; podUid: PodUid; readOnly: boolean },
): VolumeAttachment {
  return {
    volumeId: spec.volumeId,
    podUid: publication.podUid,
    targetPath: publication.targetPath,
    volumeDirectory: pool.directoryOf(spec.volumeId),
    readOnly: publication.readOnly || accessMode === 'SINGLE_NODE_READER_ONLY',
    accessMode,
    mountFlags: [...mountFlags],
    publishedAtMs: Date.now(),
    volumeMode: 'Filesystem',
  };
}

/** CSI 1.12: "Exceeds capabilities" is FAILED_PRECONDITION. */
function requireFit(found: FoundVolume, { volumeMode, fsType, accessMode }: validate.Capability): void {
  const { volumeId } = found.spec;
  if (volumeMode === 'Block')
    throw validate.invalid('volume_capability.block', 'is not supported yet by the node service');
  const differences = describeMismatch(found, { fsType, accessModes: [accessMode] });
  if (differences.length === 0) return;
  const message = `volume_capability does not fit volume ${volumeId}: ${differences.join('; ')}`;
  throw new Fault('precondition', message, { fields: { volumeId } });
}

function requireSoleWriter(records: readonly VolumeAttachment[], wanted: VolumeAttachment): void {
  const others = records.filter(({ volumeId }) => volumeId === wanted.volumeId);
  const sole = [wanted, ...others].some(({ accessMode }) => accessMode === 'SINGLE_NODE_SINGLE_WRITER');
  const [other] = others;
  if (!sole || other === undefined) return;
  const { volumeId, podUid, targetPath } = other;
  const message = `volume ${volumeId} has a single writer, and is published for ${describePod(podUid)} at ${targetPath}`;
  throw new Fault('precondition', message, { fields: { volumeId, podUid, targetPath } });
}

/** CSI 1.12: "Volume published but is incompatible" is ALREADY_EXISTS. */
function requireSamePublication(existing: VolumeAttachment, wanted: VolumeAttachment): void {
  const { targetPath } = wanted;
  if (existing.volumeId !== wanted.volumeId) {
    const message = `target_path ${targetPath} is taken by volume ${existing.volumeId}`;
    throw new Fault('precondition', message, { fields: { targetPath } });
  }
  const differences = (['readOnly', 'accessMode'] as const)
    .filter((name) => existing[name] !== wanted[name])
    .map((name) => `with ${name} ${existing[name]}`);
  if (existing.podUid !== wanted.podUid) differences.unshift(`for ${describePod(existing.podUid)}`);
  if (existing.mountFlags.join(',') !== wanted.mountFlags.join(',')) differences.push('with other mount_flags');
  if (differences.length === 0) return;
  const message = `volume ${wanted.volumeId} is published at ${targetPath}, but ${differences.join(', ')}`;
  throw new Fault('exists', message, { fields: { targetPath } });
}
