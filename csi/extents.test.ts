import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changedExtents, dataExtents } from './extents.ts';
import type { FileExtent } from './host-calls.ts';

const at = (logical: number, length: number, physical: number, flags: Partial<FileExtent> = {}): FileExtent => ({
  ...{ logical, length, physical, isUnwritten: false, isPlaced: true },
  ...flags,
});

describe('data of a file', () => {
  test.each([
    ['nothing', [], []],
    ['neighbours are one', [at(0, 4, 100), at(4, 4, 900)], [[0, 8]]],
    ['a hole between', [at(0, 4, 100), at(6, 2, 900)], [[0, 4], [6, 2]]], // biome-ignore format: a row
    ['allocated is not written', [at(0, 4, 100, { isUnwritten: true }), at(4, 4, 104)], [[4, 4]]],
    ['the end of the file', [at(8, 8, 100), at(20, 4, 200)], [[8, 2]]],
  ])('%s', (_case, extents, expected) => {
    expect(dataExtents(extents, 10)).toEqual(expected.map(([offset, length]) => ({ offset, length })));
  });
});

describe('what differs between two files', () => {
  test.each([
    ['the same place', [at(0, 8, 100)], [at(0, 8, 100)], []],
    ['the same place in other pieces', [at(0, 8, 100)], [at(0, 2, 100), at(2, 6, 102)], []],
    ['overwritten in the middle', [at(0, 8, 100)], [at(0, 2, 100), at(2, 2, 500), at(4, 4, 104)], [[2, 2]]],
    ['moved within the file', [at(0, 4, 100)], [at(4, 4, 100)], [[0, 8]]],
    ['become a hole', [at(0, 8, 100)], [at(0, 4, 100)], [[4, 4]]],
    ['zeroed by allocation', [at(0, 8, 100)], [at(0, 8, 100, { isUnwritten: true })], [[0, 8]]],
    ['a hole, allocated', [], [at(0, 8, 100, { isUnwritten: true })], []],
    ['a place that says nothing', [at(0, 8, 100, { isPlaced: false })], [at(0, 8, 100, { isPlaced: false })], [[0, 8]]],
    ['grown', [at(0, 8, 100)], [at(0, 8, 100), at(8, 8, 300)], [[8, 8]]],
    ['beyond the end', [at(0, 16, 100)], [at(0, 16, 100), at(16, 8, 300)], []],
  ])('%s', (_case, base, now, expected) => {
    expect(changedExtents(base, now, 16)).toEqual(expected.map(([offset, length]) => ({ offset, length })));
  });

  /** Files of 24 blocks whose content is the place that each block has. */
  const blocks = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 24, maxLength: 24 });
  const toExtents = (places: readonly number[]): FileExtent[] =>
    places.flatMap((place, index) => (place === 0 ? [] : [at(index, 1, place * 100 + index)]));

  test('is every block that differs and no other', () => {
    fc.assert(
      fc.property(blocks, blocks, (base, now) => {
        const named = changedExtents(toExtents(base), toExtents(now), 24).flatMap(({ offset, length }) =>
          Array.from({ length }, (_, index) => offset + index),
        );
        expect(named).toEqual(now.flatMap((place, index) => (place === base[index] ? [] : [index])));
      }),
    );
  });
});
