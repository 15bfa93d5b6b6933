import * as v from 'valibot';

/** CreateVolume's reply. */
export const createReply = v.object({
  volume: v.object({
    volume_id: v.string(),
    capacity_bytes: v.number(),
    accessible_topology: v.array(v.object({ segments: v.record(v.string(), v.string()) })),
  }),
});
export type CreatedVolume = v.InferOutput<typeof createReply>['volume'];

const DRIVER = 'csi.berth.dev';

/** The object that brings a volume into a cluster. It is kept when its claim goes, as it existed before. */
export function toPersistentVolume(
  volume: CreatedVolume,
  { name, fsType }: { readonly name: string; readonly fsType: string },
): unknown {
  const terms = volume.accessible_topology.map(({ segments }) => ({
    matchExpressions: Object.entries(segments).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
  }));
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: String(volume.capacity_bytes) },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      volumeMode: 'Filesystem',
      csi: { driver: DRIVER, volumeHandle: volume.volume_id, fsType },
      ...(terms.length === 0 ? {} : { nodeAffinity: { required: { nodeSelectorTerms: terms } } }),
    },
  };
}
