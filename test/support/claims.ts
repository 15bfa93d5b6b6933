import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { CsiClient } from './csi-client.ts';
import type { Lab } from './lab.ts';

const KUBELET = '/run/kubelet';

export interface ClaimRequest {
  readonly name: string;
  readonly sizeBytes: number;
  /** Undefined: Block mode. */
  readonly fsType?: string;
  /** A CSI access mode; SINGLE_NODE_WRITER unless said. */
  readonly accessMode?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Of the snapshot whose content it begins with. */
  readonly snapshotId?: string;
  /** Of the volume that it is a clone of. */
  readonly cloneOf?: string;
}

export interface Publication {
  readonly readOnly?: boolean;
  readonly fsGroup?: number;
  readonly mountFlags?: readonly string[];
}

/** What a PersistentVolumeClaim becomes, with the calls that sidecars and kubelet make for it. */
export interface Claim {
  readonly id: string;
  /** Of the volume's disk, on the host. */
  readonly image: string;
  publish(podUid: string, publication?: Publication): Promise<string>;
  unpublish(target: string): Promise<void>;
  /** ControllerExpandVolume, then NodeExpandVolume at the target. */
  expand(target: string, sizeBytes: number): Promise<void>;
  /** What NodeGetVolumeStats says: how large the file system is, and what is wrong with it, empty if nothing is. */
  stats(target: string): Promise<{ readonly totalBytes: number; readonly problem: string }>;
  /** What ControllerGetVolume says is wrong with it; empty if nothing is. */
  problem(): Promise<string>;
  filesystem(): Promise<VolumeFilesystem>;
  /** Unpublishes everything, unstages and deletes. */
  remove(): Promise<void>;
}

export async function createClaim(lab: Lab, client: CsiClient, request: ClaimRequest): Promise<Claim> {
  const { name, sizeBytes, fsType, accessMode = 'SINGLE_NODE_WRITER', parameters = {} } = request;
  const capability = ({ fsGroup, mountFlags = [] }: Publication = {}) => ({
    access_mode: { mode: accessMode },
    ...(fsType === undefined
      ? { block: {} }
      : { mount: { fs_type: fsType, mount_flags: mountFlags, volume_mount_group: fsGroup?.toString() ?? '' } }),
  });
  const { volume } = await client.call('Controller', 'CreateVolume', {
    name,
    capacity_range: { required_bytes: sizeBytes },
    volume_capabilities: [capability()],
    parameters: { pool: 'pool', ...parameters },
    ...contentSource(request),
  });
  const { volume_id, volume_context } = volume;
  const staging_target_path = join(KUBELET, 'staging', name);
  await mkdir(`${lab.root}${staging_target_path}`, { recursive: true });
  const staged = { volume_id, staging_target_path, volume_context };
  await client.call('Node', 'NodeStageVolume', { ...staged, volume_capability: capability() });
  const file = (which: keyof typeof VOLUME_FILES) => join(lab.poolDirectory, 'volumes', volume_id, VOLUME_FILES[which]);
  const targets = new Set<string>();
  const unpublish = async (target_path: string): Promise<void> => {
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    targets.delete(target_path);
  };
  return {
    id: volume_id,
    image: file('image'),
    async publish(podUid, publication = {}) {
      const target_path = join(KUBELET, 'pods', podUid, 'volumes', 'kubernetes.io~csi', name, 'mount');
      await mkdir(`${lab.root}${dirname(target_path)}`, { recursive: true });
      await client.call('Node', 'NodePublishVolume', {
        ...{ ...staged, target_path, volume_capability: capability(publication) },
        readonly: publication.readOnly ?? false,
        volume_context: { ...volume_context, 'csi.storage.k8s.io/pod.uid': podUid },
      });
      targets.add(target_path);
      return target_path;
    },
    unpublish,
    async expand(volume_path, required_bytes) {
      const capacity_range = { required_bytes };
      const volume_capability = capability();
      const controller = { volume_id, capacity_range, volume_capability };
      await client.call('Controller', 'ControllerExpandVolume', controller);
      await client.call('Node', 'NodeExpandVolume', { ...controller, volume_path, staging_target_path });
    },
    async stats(volume_path) {
      const request = { volume_id, volume_path, staging_target_path };
      const { usage, volume_condition } = await client.call('Node', 'NodeGetVolumeStats', request);
      const total = usage.find(({ unit }) => unit === 'BYTES')?.total ?? '0';
      return { totalBytes: Number(total), problem: problemOf(volume_condition) };
    },
    async problem() {
      const { status } = await client.call('Controller', 'ControllerGetVolume', { volume_id });
      return problemOf(status.volume_condition);
    },
    filesystem: async () =>
      volumeFilesystemRecord.decode(await readFile(`${lab.root}${file('filesystem')}`, 'utf8'), volume_id),
    async remove() {
      for (const target of targets) await unpublish(target);
      await client.call('Node', 'NodeUnstageVolume', { volume_id, staging_target_path });
      await client.call('Controller', 'DeleteVolume', { volume_id });
    },
  };
}

const problemOf = ({ abnormal, message }: { readonly abnormal: boolean; readonly message: string }): string =>
  abnormal ? message : '';

function contentSource({ snapshotId, cloneOf }: ClaimRequest): object {
  if (snapshotId !== undefined) return { volume_content_source: { snapshot: { snapshot_id: snapshotId } } };
  return cloneOf === undefined ? {} : { volume_content_source: { volume: { volume_id: cloneOf } } };
}
