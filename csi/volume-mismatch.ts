import type { VolumeClass, VolumeLimits } from '../proto/volume-class.ts';
import type { AccessMode, Filesystem } from '../proto/volume-spec.ts';
import { describeCapacityMismatch } from './capacity.ts';
import { describeContent, toAskedSource } from './content-source.ts';
import type { CapacityRange } from './validate.ts';
import type { FoundVolume } from './volumes.ts';

/** What a request wants of a volume that exists; what it does not speak of is undefined. */
export interface WantedVolume {
  readonly name?: string;
  readonly pool?: string | undefined;
  readonly fsType?: Filesystem | undefined;
  readonly accessModes?: readonly AccessMode[];
  readonly range?: CapacityRange;
  /** As describeContent has it. */
  readonly content?: string;
  readonly class?: Partial<VolumeClass>;
  readonly limits?: Partial<VolumeLimits>;
}

/** Why the volume is not what is wanted, a clause for each difference; empty if it is. */
export function describeMismatch({ pool, spec }: FoundVolume, wanted: WantedVolume): string[] {
  const differences: string[] = [];
  if (wanted.name !== undefined && wanted.name !== spec.name)
    differences.push(`its name is ${JSON.stringify(spec.name)}`);
  if (wanted.pool !== undefined && wanted.pool !== pool.name) {
    differences.push(`it is in pool ${pool.name}, not ${wanted.pool}`);
  }
  if (wanted.fsType !== undefined && wanted.fsType !== spec.fsType) {
    differences.push(`its file system is ${spec.fsType}, not ${wanted.fsType}`);
  }
  const lacking = (wanted.accessModes ?? []).filter((mode) => !spec.accessModes.includes(mode));
  if (lacking.length > 0) {
    differences.push(`its access modes are ${spec.accessModes.join(', ')}, without ${lacking.join(', ')}`);
  }
  const content = describeContent(toAskedSource(spec.source));
  if (wanted.content !== undefined && wanted.content !== content) {
    differences.push(`it was made ${content}, not ${wanted.content}`);
  }
  const actually = { ...spec.class, ...spec.limits };
  for (const [key, value] of Object.entries({ ...wanted.class, ...wanted.limits })) {
    const actual = actually[key as keyof typeof actually];
    // Lists are of words, which compare by their text.
    if (String(actual) !== String(value)) differences.push(`its ${key} is ${actual}, not ${value}`);
  }
  const capacity = wanted.range && describeCapacityMismatch(wanted.range, spec.capacityBytes);
  if (capacity !== undefined) differences.push(capacity);
  return differences;
}
