import { Fault } from '../../proto/fault.ts';
import { parseVolumeId, type SnapshotId, type VolumeId } from '../../proto/ids.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../proto/volume-class.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import type { LeaseState, Pool } from '../pool/port.ts';
import { toDiskSerial } from '../volume-id.ts';

export const NODE_KEY = '0123456789ab';

/** A pool that does in memory what concerns snapshots, in an order and with faults that a disk does not show at will. */
export interface MemoryPool extends Pool {
  add(name: string, owner?: LeaseState): VolumeSpec;
  /** What happened, in order. */
  readonly events: string[];
  /** Thrown by the next copy of the volume, before it has its content or after its settlement. */
  readonly faults: Map<VolumeId, { readonly when: 'copying' | 'recording'; readonly fault: Fault }>;
}

export function createMemoryPool(
  name: string,
  events: string[],
  snapshots: 'instant' | 'copy' = 'instant',
): MemoryPool {
  const specs = new Map<VolumeId, VolumeSpec>();
  const owners = new Map<VolumeId, LeaseState>();
  const taken = new Map<SnapshotId, VolumeSnapshot>();
  const faults: MemoryPool['faults'] = new Map();
  const throwAt = (volumeId: VolumeId, now: 'copying' | 'recording'): void => {
    const found = faults.get(volumeId);
    if (found?.when === now) throw found.fault;
  };
  const none = async (): Promise<never> => {
    throw new Fault('internal', 'the test did not expect this of a pool');
  };
  return {
    name,
    features: { snapshots, directIo: true, reason: 'memory' },
    events,
    faults,
    unreadable: new Map(),
    add(volume, owner = { kind: 'free' }) {
      const volumeId = parseVolumeId(`${name}.${NODE_KEY}.${volume}`);
      const spec: VolumeSpec = {
        ...{ volumeId, name: volume, capacityBytes: 1 << 20, fsType: 'ext4', accessModes: ['SINGLE_NODE_WRITER'] },
        ...{ serial: toDiskSerial(volumeId), class: DEFAULT_CLASS, limits: NO_LIMITS, isEphemeral: false },
        createdAtMs: 1,
      };
      specs.set(volumeId, spec);
      owners.set(volumeId, owner);
      return spec;
    },
    volumes: () => [...specs.values()],
    snapshots: () => [...taken.values()].sort((one, other) => (one.snapshotId < other.snapshotId ? -1 : 1)),
    find: (volumeId) => specs.get(volumeId),
    findSnapshot: (snapshotId) => taken.get(snapshotId),
    ownerOf: async (volumeId) => owners.get(volumeId) ?? { kind: 'free' },
    async lease(volumeId) {
      if (owners.get(volumeId)?.kind !== 'free') return undefined;
      owners.set(volumeId, { kind: 'other', words: 'this server' });
      events.push(`lease ${specs.get(volumeId)?.name}`);
      return {
        async release() {
          owners.set(volumeId, { kind: 'free' });
          events.push(`release ${specs.get(volumeId)?.name}`);
        },
      };
    },
    async createSnapshot(snapshot, { settle }) {
      const volumeId = snapshot.sourceVolumeId;
      throwAt(volumeId, 'copying');
      events.push(`copy ${specs.get(volumeId)?.name}`);
      const record = { ...snapshot, ...(await settle?.()) };
      throwAt(volumeId, 'recording');
      taken.set(snapshot.snapshotId, record);
      return record;
    },
    async removeSnapshot(snapshotId) {
      return taken.delete(snapshotId);
    },
    ...{ directoryOf: (volumeId) => `/pools/${name}/volumes/${volumeId}`, files: {} as Pool['files'] },
    async create(spec, source, _log, onShared) {
      if (source?.kind !== 'volume') return none();
      throwAt(source.volumeId, 'copying');
      events.push(`copy ${specs.get(source.volumeId)?.name}`);
      if (snapshots === 'instant') await onShared?.();
      throwAt(source.volumeId, 'recording');
      events.push(`place ${spec.name}`);
      specs.set(spec.volumeId, spec);
    },
    canShare: ({ class: { provisioning } }) => snapshots === 'instant' && provisioning === 'thin',
    ...{ filesystemOf: none, space: none, allocatedBytes: none, problemOf: none, grow: none, update: none },
    ...{ remove: none, extents: none, requireSound: async () => {}, close: async () => {} },
  };
}
