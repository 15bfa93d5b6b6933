import { open, readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../runtime/system/log.ts';
import type { Extent } from '../port.ts';
import { fromSnapshot, idOf, MIB, type OpenBench, readAt, snapshotIdOf, snapshotOf, writeAt } from './bench.ts';

const BLOCK = 4096;

/** Snapshots, of volumes at rest and in use, and what they tell of their content. */
export function describeSnapshots(openBench: () => OpenBench): void {
  let on: OpenBench;
  beforeEach(() => {
    on = openBench();
  });

  describe('snapshots', () => {
    test('outlive their volume, and are there after a start', async () => {
      await on.create('one');
      await writeAt(on.fileOf('one'), MIB, 'first');
      const taken = await on.snapshot('s', 'one');
      await writeAt(on.fileOf('one'), MIB, 'other');
      await on.remove('one');
      await on.reopen();
      expect(on.pool.findSnapshot(snapshotIdOf('s'))).toEqual(taken);
      expect(on.pool.snapshots()).toEqual([taken]);
      await on.create('two', fromSnapshot('s'));
      expect(await readAt(on.fileOf('two'), MIB, 5)).toBe('first');
    });

    test('go, and leave nothing', async () => {
      await on.create('one');
      const before = await on.bench.remains();
      await on.snapshot('s', 'one');
      await expect(on.snapshot('s', 'one')).rejects.toMatchObject({ code: 'exists' });
      expect(await on.removeSnapshot('s')).toBe(true);
      expect(await on.removeSnapshot('s')).toBe(false);
      expect(on.pool.findSnapshot(snapshotIdOf('s'))).toBeUndefined();
      expect(await on.bench.remains()).toEqual(before);
    });

    test('that need a copy are made only where that is allowed, and of a volume that no VM has', async () => {
      if (on.pool.features.snapshots === 'instant') return;
      await on.create('one');
      const wanted = snapshotOf('s', 'one');
      await expect(on.pool.createSnapshot(wanted, { mayCopy: false }, silentLog)).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringContaining('allowCopy'),
      });
      const vm = await on.bench.holdLease(on.fileOf('one', 'lease'));
      await expect(on.snapshot('s', 'one')).rejects.toMatchObject({ code: 'precondition' });
      await vm.release();
      await on.snapshot('s', 'one');
      expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
    });

    test('of a volume that is written are of one instant', async () => {
      if (on.pool.features.snapshots === 'copy') return;
      await on.create('one');
      let isWriting = true;
      let passes = 0;
      const write = async (): Promise<void> => {
        const image = await open(on.fileOf('one'), 'r+');
        for (; isWriting; passes += 1) {
          for (const offset of [0, 30 * MIB]) await image.write(String(passes).padStart(8, '0'), offset);
        }
        await image.close();
      };
      const writing = write();
      try {
        for (const taken of ['a', 'b', 'c', 'd']) {
          const before = passes;
          await on.snapshot(taken, 'one');
          while (passes < before + 3) await new Promise(setImmediate);
        }
      } finally {
        isWriting = false;
        await writing;
      }
      for (const taken of ['a', 'b', 'c', 'd']) {
        const image = on.imageOfSnapshot(taken);
        const [first, second] = [Number(await readAt(image, 0, 8)), Number(await readAt(image, 30 * MIB, 8))];
        expect([first, first - 1]).toContain(second);
      }
    });

    test('settle when they have the content', async () => {
      if (on.pool.features.snapshots === 'copy') return;
      await on.create('one');
      await writeAt(on.fileOf('one'), 0, 'first');
      const settle = async () => {
        await writeAt(on.fileOf('one'), 0, 'other');
        return { consistency: 'frozen', remark: 'as settled' } as const;
      };
      const taken = await on.pool.createSnapshot(snapshotOf('s', 'one'), { mayCopy: false, settle }, silentLog);
      expect(taken).toMatchObject({ consistency: 'frozen', remark: 'as settled' });
      expect(on.pool.findSnapshot(snapshotIdOf('s'))).toEqual(taken);
      expect(await readAt(on.imageOfSnapshot('s'), 0, 5)).toBe('first');
      const before = await on.bench.remains();
      const fail = () => Promise.reject(new Error('the guest is gone'));
      const second = on.pool.createSnapshot(snapshotOf('t', 'one'), { mayCopy: false, settle: fail }, silentLog);
      await expect(second).rejects.toThrow();
      expect(await on.bench.remains()).toEqual(before);
    });

    test('tell where they have data, and what changed since another', async () => {
      await on.create('one');
      const random = randomBlocks(32 * MIB);
      for (let step = 0; step < 40; step += 1) await writeAt(on.fileOf('one'), random(), `a${step}`.repeat(99));
      await on.snapshot('a', 'one');
      for (let step = 0; step < 20; step += 1) await writeAt(on.fileOf('one'), random(), `b${step}`.repeat(99));
      await on.snapshot('b', 'one');
      const [a, b] = await Promise.all(['a', 'b'].map((taken) => readFile(on.imageOfSnapshot(taken))));
      const zeros = Buffer.alloc(32 * MIB);
      const data = differingBlocks(zeros, b ?? zeros);
      const delta = differingBlocks(a ?? zeros, b ?? zeros);
      expect(missing(data, await on.pool.extents(snapshotIdOf('b')))).toEqual([]);
      const named = await on.pool.extents(snapshotIdOf('b'), snapshotIdOf('a'));
      expect(missing(delta, named)).toEqual([]);
      const namedBytes = named.reduce((sum, { length }) => sum + length, 0);
      // A file system may allocate in larger pieces than it was written in.
      if (on.pool.features.snapshots === 'instant') expect(namedBytes).toBeLessThanOrEqual(delta.length * BLOCK * 2);
      expect(named.every((extent, index) => extent.offset > (named[index - 1]?.offset ?? -1))).toBe(true);
    });
  });
}

/** Offsets of blocks, the same at every run. */
function randomBlocks(sizeBytes: number): () => number {
  let seed = 42;
  return () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return (seed % (sizeBytes / BLOCK)) * BLOCK;
  };
}

function differingBlocks(one: Buffer, other: Buffer): number[] {
  const offsets = Array.from({ length: other.length / BLOCK }, (_, index) => index * BLOCK);
  return offsets.filter((at) => !one.subarray(at, at + BLOCK).equals(other.subarray(at, at + BLOCK)));
}

/** Blocks that no extent names. */
function missing(blocks: readonly number[], extents: readonly Extent[]): number[] {
  return blocks.filter((at) => !extents.some(({ offset, length }) => offset <= at && at + BLOCK <= offset + length));
}
