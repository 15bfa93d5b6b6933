import { truncate } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { fromVolume, idOf, MIB, type OpenBench, thick, writeAt } from './bench.ts';

/** What is promised, and what happens when there is none left. */
export function describeSpace(openBench: () => OpenBench): void {
  let on: OpenBench;
  beforeEach(() => {
    on = openBench();
  });

  describe('space', () => {
    test('is promised within the limit, and given back', async () => {
      await on.reopen({});
      const { availableBytes, maximumVolumeBytes } = await on.pool.space();
      expect(maximumVolumeBytes).toBeLessThanOrEqual(availableBytes);
      const half = Math.floor(availableBytes / 2 / MIB) * MIB;
      await on.create('one', { capacityBytes: half });
      expect((await on.pool.space()).availableBytes).toBeLessThanOrEqual(availableBytes - half);
      const tooMuch = on.create('two', { capacityBytes: half + 8 * MIB });
      await expect(tooMuch).rejects.toMatchObject({
        code: 'exhausted',
        message: expect.stringContaining('overcommit'),
      });
      await expect(on.pool.grow(idOf('one'), 2 * half + 8 * MIB)).rejects.toMatchObject({ code: 'exhausted' });
      await on.remove('one');
      await on.create('two', { capacityBytes: half + 8 * MIB });
      await on.reopen({ overcommit: 3 });
      await on.create('three', { capacityBytes: 2 * half });
    });

    test('is counted by what was promised, whatever a VMM makes of its disk, which is a problem of the volume', async () => {
      await on.reopen({});
      await on.create('one');
      const { availableBytes } = await on.pool.space();
      expect(await on.pool.problemOf(idOf('one'))).toBe('');
      for (const [sizeBytes, problem] of [
        [64 * MIB, `has ${64 * MIB} bytes, the volume ${32 * MIB}: an expansion did not end`],
        [8 * MIB, `has ${8 * MIB} bytes, the volume ${32 * MIB}: somebody has cut it`],
      ] as const) {
        await truncate(on.fileOf('one'), sizeBytes);
        expect(await on.pool.problemOf(idOf('one'))).toContain(problem);
        await on.reopen({});
        expect(await on.pool.problemOf(idOf('one'))).toContain(problem);
        // Records take some blocks, and a start fills the reserve again.
        expect(Math.abs((await on.pool.space()).availableBytes - availableBytes)).toBeLessThan(MIB);
      }
      await truncate(on.fileOf('one'), 64 * MIB);
      await on.pool.grow(idOf('one'), 64 * MIB);
      expect(await on.pool.problemOf(idOf('one'))).toBe('');
    });

    test('that ends at any step leaves nothing half', async () => {
      await on.create('one');
      await writeAt(on.fileOf('one'), 0, 'x'.repeat(9 * MIB));
      const before = await on.bench.remains();
      for (const freeBytes of [0, 16 << 10, 64 << 10, 256 << 10, 2 * MIB, 12 * MIB]) {
        const room = await on.bench.fill(freeBytes);
        const made = {
          blank: () => on.create('blank').then(() => on.remove('blank')),
          thick: () => on.create('thick', thick).then(() => on.remove('thick')),
          copy: () => on.create('copy', fromVolume('one')).then(() => on.remove('copy')),
          snapshot: () => on.snapshot('s', 'one').then(() => on.removeSnapshot('s')),
        };
        for (const make of Object.values(made)) {
          await make().catch((error: unknown) => expect(error).toMatchObject({ code: 'exhausted' }));
          expect(await on.bench.remains()).toEqual(before);
        }
        await room.release();
      }
    });

    test('that has ended lets records be written and volumes go', async () => {
      await on.create('one');
      const spec = await on.create('two');
      const room = await on.bench.fill(0);
      const limits = { iops: 1, bandwidthBytes: 2 };
      await on.pool.update({ ...spec, limits });
      await on.reopen();
      expect(on.pool.find(idOf('two'))).toEqual({ ...spec, limits });
      expect(await on.remove('one')).toBe(true);
      expect(await on.remove('two')).toBe(true);
      await room.release();
    });
  });
}
