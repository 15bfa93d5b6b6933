import { describe, expect, it } from 'vitest';
import type { Filesystem } from '../proto/volume-spec.ts';
import { describeCapacityMismatch, planCapacity, planGrowth } from './capacity.ts';

const MIB = 1024n ** 2n;
const range = (requiredBytes: bigint, limitBytes?: bigint) => ({ requiredBytes, limitBytes });

describe('planCapacity', () => {
  it.each<[string, bigint, bigint | undefined, Filesystem, bigint]>([
    ['the default', 0n, undefined, 'ext4', 1024n * MIB],
    ['the default below a limit', 0n, 100n * MIB + 5n, 'ext4', 100n * MIB],
    ['whole MiB', 100n * MIB + 1n, undefined, 'ext4', 101n * MIB],
    ['exactly what is asked', 100n * MIB, 100n * MIB, 'ext4', 100n * MIB],
    ['the least of ext4', 1n, undefined, 'ext4', 16n * MIB],
    ['the least of xfs', 1n, undefined, 'xfs', 300n * MIB],
  ])('gives %s', (_, required, limit, fsType, expected) => {
    expect(planCapacity(range(required, limit), { fsType, sourceBytes: 0 })).toBe(Number(expected));
  });

  it.each<[string, bigint, bigint | undefined, Filesystem, RegExp]>([
    ['a limit below what is required', 200n * MIB, 100n * MIB, 'ext4', /limit_bytes is 104857600/],
    ['a limit that rounding up exceeds', 100n * MIB + 1n, 100n * MIB + 2n, 'ext4', /limit_bytes/],
    ['a limit below the least of ext4', 1n, 15n * MIB, 'ext4', /ext4 needs 16777216/],
    ['a limit below the least of xfs', 0n, 299n * MIB, 'xfs', /xfs needs/],
    ['a limit below a MiB', 0n, 5n, 'ext4', /limit_bytes is 5/],
    ['more than a number holds', 2n ** 62n, undefined, 'ext4', /makes 4611686018427387904 bytes, more than/],
  ])('refuses %s', (_, required, limit, fsType, message) => {
    const plan = () => planCapacity(range(required, limit), { fsType, sourceBytes: 0 });
    expect(plan).toThrow(message);
    expect(plan).toThrow(expect.objectContaining({ code: 'out-of-range' }));
  });
});

describe('planCapacity of copies and block devices', () => {
  it.each<[string, bigint, bigint | undefined, Filesystem | undefined, number, bigint]>([
    ['the size of the source', 0n, undefined, 'ext4', 5 * 2 ** 30, 5120n * MIB],
    ['the size of the source where less is required', 1n, undefined, 'ext4', 5 * 2 ** 30, 5120n * MIB],
    ['more than the source has', 6144n * MIB, undefined, 'ext4', 5 * 2 ** 30, 6144n * MIB],
    ['a MiB to a block device', 1n, undefined, undefined, 0, MIB],
    ['the size of the source to a block device', 0n, undefined, undefined, 2 ** 20, MIB],
  ])('gives %s', (_, required, limit, fsType, sourceBytes, expected) => {
    expect(planCapacity(range(required, limit), { fsType, sourceBytes })).toBe(Number(expected));
  });

  it('refuses a limit below the source', () => {
    const plan = () => planCapacity(range(0n, 100n * MIB), { fsType: 'ext4', sourceBytes: 2 ** 30 });
    expect(plan).toThrow('the source needs 1073741824');
  });
});

describe('planGrowth', () => {
  const size = Number(100n * MIB);

  it.each<[string, bigint, bigint | undefined, bigint]>([
    ['to whole MiB', 150n * MIB + 1n, undefined, 151n * MIB],
    ['not at all to less', 50n * MIB, undefined, 100n * MIB],
    ['not at all when nothing is required', 0n, 200n * MIB, 100n * MIB],
  ])('grows %s', (_, required, limit, expected) => {
    expect(planGrowth(range(required, limit), size)).toBe(Number(expected));
  });

  it.each<[string, bigint, bigint]>([
    ['that the volume exceeds', 0n, 99n * MIB],
    ['that rounding up exceeds', 150n * MIB + 1n, 150n * MIB + 2n],
  ])('refuses a limit %s', (_, required, limit) => {
    expect(() => planGrowth(range(required, limit), size)).toThrow(expect.objectContaining({ code: 'out-of-range' }));
  });
});

it('compares an existing volume with a range', () => {
  const size = Number(100n * MIB);
  expect(describeCapacityMismatch(range(0n), size)).toBeUndefined();
  expect(describeCapacityMismatch(range(100n * MIB, 100n * MIB), size)).toBeUndefined();
  expect(describeCapacityMismatch(range(101n * MIB), size)).toMatch('are required');
  expect(describeCapacityMismatch(range(0n, 99n * MIB), size)).toMatch('the limit is');
});
