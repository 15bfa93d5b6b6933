import type { Filesystem } from '../proto/volume-spec.ts';
import { invalid, type MountCapability, parseFilesystem } from './validate.ts';

/** What a StorageClass may say. */
export interface ClassParameters {
  readonly pool: string | undefined;
  readonly fsType: Filesystem | undefined;
}

const POOL = 'pool';
const FSTYPE = 'csi.storage.k8s.io/fstype';
/** external-provisioner adds them with --extra-create-metadata: names, of no consequence for the volume. */
const IGNORED = ['csi.storage.k8s.io/pvc/name', 'csi.storage.k8s.io/pvc/namespace', 'csi.storage.k8s.io/pv/name'];

export function parseParameters(parameters: Readonly<Record<string, string>>, field: string): ClassParameters {
  for (const key of Object.keys(parameters)) {
    if (key === POOL || key === FSTYPE || IGNORED.includes(key)) continue;
    throw invalid(`${field}["${key}"]`, `is unknown; this driver takes ${POOL} and ${FSTYPE}`);
  }
  return { pool: parameters[POOL], fsType: parseFilesystem(parameters[FSTYPE], `${field}["${FSTYPE}"]`) };
}

/** The one file system that parameters and capabilities agree on; undefined if none of them names one. */
export function agreedFilesystem(
  parameters: ClassParameters,
  capabilities: readonly MountCapability[],
  field: string,
): Filesystem | undefined {
  let agreed = parameters.fsType;
  for (const [index, { fsType }] of capabilities.entries()) {
    if (fsType === undefined) continue;
    if (agreed !== undefined && fsType !== agreed) {
      throw invalid(`${field}[${index}].mount.fs_type`, `is ${fsType}, but the request also asks for ${agreed}`);
    }
    agreed = fsType;
  }
  return agreed;
}
