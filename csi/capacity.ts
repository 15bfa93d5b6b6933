import { Fault } from '../proto/fault.ts';
import type { Filesystem } from '../proto/volume-spec.ts';
import type { CapacityRange } from './validate.ts';

const MIB = 1n << 20n;
const DEFAULT_BYTES = 1024n * MIB;
/** Below, mkfs refuses or the file system is all metadata: mkfs.xfs of xfsprogs 5.19 and later wants 300 MiB, btrfs 109 MiB. */
const MINIMUM_BYTES = { ext4: 16n * MIB, xfs: 300n * MIB, btrfs: 128n * MIB } as const satisfies Record<
  Filesystem,
  bigint
>;

/** Size of a new volume: the least that the range and the file system allow, in whole MiB; else `out-of-range`. */
export function planCapacity({ requiredBytes, limitBytes }: CapacityRange, fsType: Filesystem): number {
  const wanted = requiredBytes > 0n ? requiredBytes : atMost(DEFAULT_BYTES, limitBytes);
  const minimum = MINIMUM_BYTES[fsType];
  const bytes = roundUp(wanted > minimum ? wanted : minimum);
  if (limitBytes !== undefined && bytes > limitBytes) {
    throw outOfRange(
      `capacity_range.limit_bytes is ${limitBytes}, but the least volume that fits the request has ${bytes} bytes ` +
        `(whole MiB; ${fsType} needs ${minimum})`,
    );
  }
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw outOfRange(`capacity_range.required_bytes is ${requiredBytes}, more than a volume can have`);
  }
  return Number(bytes);
}

/** What keeps an existing volume from satisfying the range; undefined if it does. */
export function describeCapacityMismatch(range: CapacityRange, capacityBytes: number): string | undefined {
  const { requiredBytes, limitBytes } = range;
  if (BigInt(capacityBytes) < requiredBytes) return `it has ${capacityBytes} bytes, ${requiredBytes} are required`;
  if (limitBytes !== undefined && BigInt(capacityBytes) > limitBytes) {
    return `it has ${capacityBytes} bytes, the limit is ${limitBytes}`;
  }
  return undefined;
}

/** The default, or as many whole MiB below it as the limit allows. */
function atMost(bytes: bigint, limitBytes: bigint | undefined): bigint {
  return limitBytes === undefined || limitBytes >= bytes ? bytes : (limitBytes / MIB) * MIB;
}

function roundUp(bytes: bigint): bigint {
  return ((bytes + MIB - 1n) / MIB) * MIB;
}

function outOfRange(message: string): Fault {
  return new Fault('out-of-range', message, { fields: { field: 'capacity_range' } });
}
