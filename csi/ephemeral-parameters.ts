import { DEFAULT_CLASS, NO_LIMITS } from '../proto/volume-class.ts';
import type { Filesystem, VolumeSpec } from '../proto/volume-spec.ts';
import { planCapacity } from './capacity.ts';
import { choosePool } from './controller/choose-pool.ts';
import { quantity } from './parameter-values.ts';
import type { Pool } from './pool/port.ts';
import { type Capability, invalid, parseFilesystem } from './validate.ts';
import { toDiskSerial, toVolumeId } from './volume-id.ts';
import type { Volumes } from './volumes.ts';

/** Key by which kubelet says that a volume is inline: it is made and deleted with its pod, under an id of kubelet's. */
export const EPHEMERAL = 'csi.storage.k8s.io/ephemeral';

/** What kubelet adds to the attributes of a pod's inline volume. */
const OF_KUBERNETES = /^csi\.storage\.k8s\.io\//;
const POOL = 'pool';
const SIZE = 'size';
const FSTYPE = 'fsType';

export interface InlineVolume {
  readonly pool: Pool;
  readonly spec: VolumeSpec;
}

/** `name` of the volume behind an inline one. Not of the alphabet of names that are ids as they are. */
export const ephemeralName = (kubeletId: string): string => `ephemeral:${kubeletId}`;

/** The volume that an inline one is to be, whether it is there or not. */
export function parseEphemeral(
  kubeletId: string,
  attributes: Readonly<Record<string, string>>,
  capability: Capability,
  volumes: Volumes,
): InlineVolume {
  const field = (key: string): string => `volume_context["${key}"]`;
  for (const key of Object.keys(attributes)) {
    if (OF_KUBERNETES.test(key) || [POOL, SIZE, FSTYPE].includes(key)) continue;
    throw invalid(field(key), `is unknown; an inline volume takes ${POOL}, ${SIZE} and ${FSTYPE}`);
  }
  if (capability.volumeMode === 'Block')
    throw invalid('volume_capability', 'is block, but an inline volume is mounted');
  const size = attributes[SIZE];
  if (size === undefined) throw invalid(field(SIZE), 'is required: the most that the volume can hold, like 1Gi');
  const requiredBytes = BigInt(quantity(Number.MAX_SAFE_INTEGER)(size, field(SIZE)));
  const fsType = agreed(parseFilesystem(attributes[FSTYPE], field(FSTYPE)), capability.fsType, field(FSTYPE));
  const pool = choosePool(volumes.pools, attributes[POOL]);
  const name = ephemeralName(kubeletId);
  const volumeId = toVolumeId(pool.name, volumes.nodeKey, name);
  const spec = {
    ...{ volumeId, name, fsType, accessModes: [capability.accessMode], serial: toDiskSerial(volumeId) },
    capacityBytes: planCapacity({ requiredBytes, limitBytes: undefined }, { fsType, sourceBytes: 0 }),
    ...{ class: DEFAULT_CLASS, limits: NO_LIMITS, isEphemeral: true, createdAtMs: Date.now() },
  };
  return { pool, spec };
}

/** A pod can say it in two places. */
function agreed(attribute: Filesystem | undefined, ofCapability: Filesystem | undefined, field: string): Filesystem {
  if (attribute !== undefined && ofCapability !== undefined && attribute !== ofCapability) {
    throw invalid(field, `is ${attribute}, but volume_capability asks for ${ofCapability}`);
  }
  return attribute ?? ofCapability ?? 'ext4';
}
