import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { decodeWith } from '../../proto/record.ts';
import type { CsiClient } from './csi-client.ts';

/** ext4, one node, one writer: what a ReadWriteOnce claim becomes. */
const CAPABILITY = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

const created = v.object({
  volume: v.object({ volume_id: v.string(), volume_context: v.record(v.string(), v.string()) }),
});

/** A volume as Kubernetes drives one: each method is what kubelet or a sidecar would call. */
export interface DemoVolume {
  readonly id: string;
  /** Publishes for a pod; answers the target path. */
  publish(podUid: string): Promise<string>;
  unpublish(target: string): Promise<void>;
  unstage(): Promise<void>;
  delete(): Promise<void>;
}

export interface VolumeRequest {
  readonly name: string;
  readonly pool: string;
  readonly sizeBytes: number;
  /** Where kubelet keeps what it stages and publishes. */
  readonly kubeletDirectory: string;
  /** Where the driver's root is for this process; empty if it is its own. */
  readonly root: string;
}

/** CreateVolume and NodeStageVolume. */
export async function createDemoVolume(csi: CsiClient, request: VolumeRequest): Promise<DemoVolume> {
  const { name, pool, sizeBytes, kubeletDirectory, root } = request;
  const reply = await csi.call('Controller', 'CreateVolume', {
    name,
    capacity_range: { required_bytes: sizeBytes },
    volume_capabilities: [CAPABILITY],
    parameters: { pool },
  });
  const { volume_id, volume_context } = decodeWith(created, reply, 'CreateVolume').volume;
  const staging_target_path = join(kubeletDirectory, 'staging', name);
  await mkdir(`${root}${staging_target_path}`, { recursive: true });
  const staged = { volume_id, staging_target_path, volume_capability: CAPABILITY, volume_context };
  await csi.call('Node', 'NodeStageVolume', staged);
  return {
    id: volume_id,
    async publish(podUid) {
      const target_path = join(kubeletDirectory, 'pods', podUid, 'volumes', 'kubernetes.io~csi', name, 'mount');
      // kubelet makes the parent, the driver the target itself (CSI, NodePublishVolume).
      await mkdir(`${root}${dirname(target_path)}`, { recursive: true });
      const pod = { 'csi.storage.k8s.io/pod.uid': podUid };
      await csi.call('Node', 'NodePublishVolume', {
        ...staged,
        target_path,
        volume_context: { ...volume_context, ...pod },
      });
      return target_path;
    },
    async unpublish(target_path) {
      await csi.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    },
    async unstage() {
      await csi.call('Node', 'NodeUnstageVolume', { volume_id, staging_target_path });
    },
    async delete() {
      await csi.call('Controller', 'DeleteVolume', { volume_id });
    },
  };
}
