import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { Extent } from '../pool/port.ts';
import { metadataPages, parseRange } from './metadata-pages.ts';

const SIZE = 1000;
const extents: Extent[] = [
  { offset: 0, length: 100 },
  { offset: 200, length: 50 },
  { offset: 900, length: 200 },
];

const rangesOf = (from: number, perMessage: number, all: readonly Extent[] = extents) =>
  [...metadataPages(all, { startingOffset: from, maxResults: perMessage }, SIZE)].map(({ block_metadata }) =>
    block_metadata.map(({ byte_offset, size_bytes }) => [Number(byte_offset), Number(size_bytes)]),
  );

describe('metadataPages', () => {
  it.each([
    [
      'from the beginning, within the disk',
      0,
      10,
      [
        [
          [0, 100],
          [200, 50],
          [900, 100],
        ],
      ],
    ],
    [
      'in messages of the size asked for',
      0,
      2,
      [
        [
          [0, 100],
          [200, 50],
        ],
        [[900, 100]],
      ],
    ],
    [
      'in messages that it fills exactly',
      0,
      3,
      [
        [
          [0, 100],
          [200, 50],
          [900, 100],
        ],
      ],
    ],
    [
      'from within a range',
      220,
      10,
      [
        [
          [220, 30],
          [900, 100],
        ],
      ],
    ],
    [
      'from between two',
      150,
      10,
      [
        [
          [200, 50],
          [900, 100],
        ],
      ],
    ],
    ['from the end of one', 250, 10, [[[900, 100]]]],
    ['from the end of the disk: one message without', SIZE, 10, [[]]],
  ])('answers %s', (_what, from, perMessage, expected) => {
    expect(rangesOf(from, perMessage)).toEqual(expected);
  });

  it('says in each message how large the disk is, and once for an empty one', () => {
    const pages = [...metadataPages([], { startingOffset: 0, maxResults: 1 }, SIZE)];
    expect(pages).toEqual([
      { block_metadata_type: 'VARIABLE_LENGTH', volume_capacity_bytes: '1000', block_metadata: [] },
    ]);
  });

  test('an interrupted stream that goes on after the last range misses and repeats nothing', () => {
    fc.assert(
      fc.property(fc.nat(SIZE), fc.integer({ min: 1, max: 4 }), (stop, perMessage) => {
        const whole = rangesOf(0, perMessage).flat();
        const before = whole.filter(([offset = 0, size = 0]) => offset + size <= stop);
        const next = before.at(-1)?.reduce((sum, each) => sum + each, 0) ?? 0;
        expect([...before, ...rangesOf(next, perMessage).flat()]).toEqual(whole);
      }),
    );
  });
});

describe('parseRange', () => {
  it.each(['-1', '1001', '9223372036854775807'])('an offset of %s is outside', (starting_offset) => {
    expect(() => parseRange({ starting_offset, max_results: 0 }, SIZE)).toThrow(
      expect.objectContaining({ code: 'out-of-range' }),
    );
  });

  it('limits messages by itself when nobody does, and when somebody asks for the impossible', () => {
    expect(parseRange({ starting_offset: '1000', max_results: 0 }, SIZE)).toEqual({
      startingOffset: SIZE,
      maxResults: 1000,
    });
    expect(parseRange({ starting_offset: '0', max_results: 2 ** 31 - 1 }, SIZE).maxResults).toBe(100_000);
    expect(() => parseRange({ starting_offset: '0', max_results: -1 }, SIZE)).toThrow('max_results is negative');
  });
});
