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

/** What a new volume must have room for. */
export interface CapacityNeeds {
  /** Undefined: only ever a block device. */
  readonly fsType: Filesystem | undefined;
  /** Of the disk that is copied; 0: blank. */
  readonly sourceBytes: number;
}

/** Least size of a volume, whole MiB. */
export function minimumBytes({ fsType, sourceBytes }: CapacityNeeds): bigint {
  const least = fsType === undefined ? MIB : MINIMUM_BYTES[fsType];
  return roundUp(BigInt(sourceBytes) > least ? BigInt(sourceBytes) : least);
}

/** Size of a new volume: the least that the range and the content allow, in whole MiB; else `out-of-range`. */
export function planCapacity({ requiredBytes, limitBytes }: CapacityRange, needs: CapacityNeeds): number {
  const unasked = needs.sourceBytes > 0 ? 0n : atMost(DEFAULT_BYTES, limitBytes);
  const wanted = requiredBytes > 0n ? requiredBytes : unasked;
  const minimum = minimumBytes(needs);
  const bytes = roundUp(wanted > minimum ? wanted : minimum);
  if (limitBytes !== undefined && bytes > limitBytes) {
    throw outOfRange(
      `capacity_range.limit_bytes is ${limitBytes}, but the least volume that fits the request has ${bytes} bytes ` +
        `(whole MiB; ${needs.sourceBytes > 0 ? 'the source' : (needs.fsType ?? 'a disk')} needs ${minimum})`,
    );
  }
  return toNumber(bytes);
}

/** Size that a volume is to grow to: never less than it has. */
export function planGrowth({ requiredBytes, limitBytes }: CapacityRange, capacityBytes: number): number {
  const current = BigInt(capacityBytes);
  const wanted = roundUp(requiredBytes);
  const bytes = wanted > current ? wanted : current;
  if (limitBytes !== undefined && bytes > limitBytes) {
    throw outOfRange(
      `capacity_range.limit_bytes is ${limitBytes}, but the volume has ${capacityBytes} bytes, grows in whole MiB, ` +
        `and never shrinks`,
    );
  }
  return toNumber(bytes);
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

function toNumber(bytes: bigint): number {
  if (bytes <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(bytes);
  throw outOfRange(`capacity_range.required_bytes makes ${bytes} bytes, more than a volume can have`);
}

function outOfRange(message: string): Fault {
  return new Fault('out-of-range', message, { fields: { field: 'capacity_range' } });
}
