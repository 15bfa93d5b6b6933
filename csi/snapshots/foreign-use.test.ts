import { expect, it } from 'vitest';
import { parsePodUid } from '../../proto/ids.ts';
import type { VolumeAttachment } from '../../proto/volume-attachment.ts';
import { describeForeignUse, requireNoForeignUse } from './foreign-use.ts';
import { createMemoryPool } from './memory-pool.fixture.ts';

const pool = createMemoryPool('main', [], 'copy');
const own = { pool, spec: pool.add('own') };
const kata = { pool, spec: { ...own.spec, class: { ...own.spec.class, consumer: 'kata' as const } } };
const publishedFor = (...podUids: readonly string[]) => ({
  ofVolume: async () => podUids.map((podUid) => ({ podUid: parsePodUid(podUid) }) as VolumeAttachment),
});

it.each([
  ['a volume of ours that is published', own, publishedFor('pod-1'), undefined],
  ['a volume of stock Kata that is not', kata, publishedFor(), undefined],
  ['a volume of stock Kata that is', kata, publishedFor('pod-1'), 'it is published for pod pod-1, in stock Kata'],
])('of %s', async (_what, found, attachments, expected) => {
  const use = await describeForeignUse(found, attachments);
  if (expected === undefined) expect(use).toBeUndefined();
  else expect(use).toContain(expected);
});

it('forbids a copy byte by byte', () => {
  requireNoForeignUse(undefined, kata);
  expect(() => requireNoForeignUse('it is published', kata)).toThrow(
    `volume ${kata.spec.volumeId} of pool main cannot be copied byte by byte now: it is published`,
  );
});
