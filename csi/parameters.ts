import {
  AIO_ENGINES,
  CACHES,
  CONSUMERS,
  DEFAULT_CLASS,
  NO_LIMITS,
  OWNERSHIP_POLICIES,
  PROVISIONINGS,
  type VolumeClass,
  type VolumeLimits,
} from '../proto/volume-class.ts';
import type { Filesystem } from '../proto/volume-spec.ts';
import { oneOf, type ParseValue, parseBoolean, parseWords, quantity, wholeNumber } from './parameter-values.ts';
import { type Capability, invalid, parseFilesystem } from './validate.ts';
import { POOL_NAME, POOL_NAME_RULE } from './volume-id.ts';

/** What a StorageClass may say. */
export interface ClassParameters {
  readonly pool: string | undefined;
  readonly fsType: Filesystem | undefined;
  readonly class: VolumeClass;
  /** As far as it was said, for those who ask whether a volume is of a class. */
  readonly saidOfClass: Partial<VolumeClass>;
  readonly limits: VolumeLimits;
}

type Texts = Readonly<Record<string, string>>;

const POOL = 'pool';
const FSTYPE = 'csi.storage.k8s.io/fstype';
/** The sidecars add them (--extra-create-metadata, --extra-modify-metadata): names, of no consequence for the volume. */
const IGNORED = ['csi.storage.k8s.io/pvc/name', 'csi.storage.k8s.io/pvc/namespace', 'csi.storage.k8s.io/pv/name'];

/** Virtqueues that a device of QEMU can have (VIRTIO_QUEUE_MAX). */
const MAX_QUEUES = 1024;
/** The most that QEMU's throttling takes (THROTTLE_VALUE_MAX). */
const MAX_RATE = 1e15;

const OF_CLASS: { readonly [Key in keyof VolumeClass]: ParseValue<VolumeClass[Key]> } = {
  provisioning: oneOf(PROVISIONINGS),
  cache: oneOf(CACHES),
  aio: oneOf(AIO_ENGINES),
  queues: wholeNumber(MAX_QUEUES),
  iothread: parseBoolean,
  discard: parseBoolean,
  fsGroupChangePolicy: oneOf(OWNERSHIP_POLICIES),
  consumer: oneOf(CONSUMERS),
  mkfsOptions: parseWords,
};
const OF_LIMITS: Readonly<Record<string, { key: keyof VolumeLimits; parse: ParseValue<number> }>> = {
  iops: { key: 'iops', parse: wholeNumber(MAX_RATE) },
  bandwidth: { key: 'bandwidthBytes', parse: quantity(MAX_RATE) },
};
const isOfClass = (key: string): key is keyof VolumeClass => Object.hasOwn(OF_CLASS, key);
const isOfLimits = (key: string): boolean => Object.hasOwn(OF_LIMITS, key);

/** How stock Kata attaches a disk is its own affair: a class that says otherwise would not be heard. */
const NOT_FOR_KATA = ['cache', 'aio', 'queues', 'iothread', 'discard', ...Object.keys(OF_LIMITS)];

export function parseParameters(parameters: Texts, field: string): ClassParameters {
  const said: Partial<VolumeClass> = {};
  for (const [key, text] of Object.entries(parameters)) {
    if (isOfClass(key)) Object.assign(said, { [key]: OF_CLASS[key](text, `${field}["${key}"]`) });
    else if (key !== POOL && key !== FSTYPE && !isOfLimits(key) && !IGNORED.includes(key)) {
      const known = [POOL, FSTYPE, ...Object.keys(OF_CLASS), ...Object.keys(OF_LIMITS)];
      throw invalid(`${field}["${key}"]`, `is unknown; this driver takes ${known.join(', ')}`);
    }
  }
  const pool = parameters[POOL];
  if (pool !== undefined && !POOL_NAME.test(pool)) {
    throw invalid(`${field}["${POOL}"]`, `is ${JSON.stringify(pool)}, not ${POOL_NAME_RULE}`);
  }
  const limits = Object.fromEntries(Object.entries(parameters).filter(([key]) => isOfLimits(key)));
  return {
    pool,
    fsType: parseFilesystem(parameters[FSTYPE], `${field}["${FSTYPE}"]`),
    class: toClass(said, Object.keys(parameters), field),
    saidOfClass: said,
    limits: { ...NO_LIMITS, ...parseMutableParameters(limits, field) },
  };
}

/** Parameters of a VolumeAttributesClass: the limits that it speaks of. */
export function parseMutableParameters(parameters: Texts, field: string): Partial<VolumeLimits> {
  const limits: Partial<Record<keyof VolumeLimits, number>> = {};
  for (const [key, text] of Object.entries(parameters)) {
    if (IGNORED.includes(key)) continue;
    const known = isOfLimits(key) ? OF_LIMITS[key] : undefined;
    if (known === undefined) {
      throw invalid(`${field}["${key}"]`, `cannot change; what can is ${Object.keys(OF_LIMITS).join(' and ')}`);
    }
    limits[known.key] = known.parse(text, `${field}["${key}"]`);
  }
  return limits;
}

/** Fault `invalid` if limits of such a volume would limit nothing. */
export function requireLimitable({ consumer }: VolumeClass, field: string): void {
  if (consumer === 'kata') throw invalid(field, 'cannot be honoured with consumer kata: Kata sets no limits');
}

/** Fault `invalid` if what is on such a volume would not grow with its disk. */
export function requireGrowable({ consumer }: VolumeClass, field: string): void {
  if (consumer === 'kata') throw invalid(field, 'cannot be honoured with consumer kata: Kata grows no file system');
}

/** What holds between parameters. */
function toClass(said: Partial<VolumeClass>, keys: readonly string[], field: string): VolumeClass {
  const isThick = said.provisioning === 'thick';
  if (isThick && said.discard === true) {
    throw invalid(`${field}["discard"]`, 'is true, but a thick volume keeps the blocks that its guest discards');
  }
  const all: VolumeClass = { ...DEFAULT_CLASS, ...(isThick ? { discard: false } : {}), ...said };
  if (all.aio === 'native' && all.cache !== 'none') {
    throw invalid(`${field}["aio"]`, `is native, which needs cache none, not ${all.cache}`);
  }
  const unheard = keys.find((key) => all.consumer === 'kata' && NOT_FOR_KATA.includes(key));
  if (unheard !== undefined) {
    throw invalid(`${field}["${unheard}"]`, 'cannot be honoured with consumer kata: Kata attaches disks as it likes');
  }
  return all;
}

/** The one file system that parameters and capabilities agree on; undefined if none of them names one. */
export function agreedFilesystem(
  parameters: Pick<ClassParameters, 'fsType'>,
  capabilities: readonly Capability[],
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
