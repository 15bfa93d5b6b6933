import { stat } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../runtime/system/log.ts';
import { fromSnapshot, fromVolume, idOf, MIB, type OpenBench, readAt, thick, writeAt } from './bench.ts';

/** Volumes made of others, and of snapshots. */
export function describeCopies(openBench: () => OpenBench): void {
  let on: OpenBench;
  beforeEach(() => {
    on = openBench();
  });

  describe('copies', () => {
    const inherited = { state: 'formatted', uuid: 'u', formattedAtMs: 7 } as const;

    test.each(['volume', 'snapshot'] as const)('of a %s are independent, and may be larger', async (kind) => {
      await on.create('one');
      await writeAt(on.fileOf('one'), 3 * MIB, 'first');
      await on.setFilesystem('one', { ...inherited, problem: 'of the source alone' });
      if (kind === 'snapshot') await on.snapshot('s', 'one');
      const source = kind === 'snapshot' ? fromSnapshot('s') : fromVolume('one');
      const copy = await on.create('two', { ...source, capacityBytes: 40 * MIB });
      await writeAt(on.fileOf('one'), 3 * MIB, 'other');
      await writeAt(on.fileOf('two'), 39 * MIB, 'more');
      expect(await readAt(on.fileOf('two'), 3 * MIB, 5)).toBe('first');
      expect(await readAt(on.fileOf('one'), 3 * MIB, 5)).toBe('other');
      expect((await stat(on.fileOf('one'))).size).toBe(32 * MIB);
      expect(await on.pool.filesystemOf(idOf('two'))).toEqual(inherited);
      expect(on.pool.find(idOf('two'))).toEqual(copy);
      await on.remove('one');
      expect(await readAt(on.fileOf('two'), 3 * MIB, 5)).toBe('first');
    });

    test('that are smaller than their source are refused', async () => {
      await on.create('one');
      const smaller = { ...fromVolume('one'), capacityBytes: 8 * MIB };
      await expect(on.create('two', smaller)).rejects.toMatchObject({ code: 'out-of-range' });
    });

    test('tell when they share the content, of which what is written then is no part', async () => {
      const spec = await on.create('one');
      await writeAt(on.fileOf('one'), 0, 'first');
      const copy = { ...spec, volumeId: idOf('two'), name: 'two', ...fromVolume('one') };
      const onShared = () => writeAt(on.fileOf('one'), 0, 'other');
      expect(on.pool.canShare({ ...copy, ...thick })).toBe(false);
      expect(on.pool.canShare(copy)).toBe(on.pool.features.snapshots === 'instant');
      if (!on.pool.canShare(copy)) return;
      await on.pool.create(copy, copy.source, silentLog, onShared);
      expect(await readAt(on.fileOf('two'), 0, 5)).toBe('first');
      const before = await on.bench.remains();
      const third = { ...copy, volumeId: idOf('three'), name: 'three' };
      const fail = () => Promise.reject(new Error('the lease cannot be released'));
      await expect(on.pool.create(third, third.source, silentLog, fail)).rejects.toThrow();
      expect(await on.bench.remains()).toEqual(before);
    });

    test('are refused while a file system is being made', async () => {
      await on.create('one');
      await on.setFilesystem('one', { state: 'formatting' });
      const before = await on.bench.remains();
      await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
      await expect(on.snapshot('s', 'one')).rejects.toMatchObject({ code: 'busy' });
      expect(await on.bench.remains()).toEqual(before);
    });

    test('that are thick have blocks of their own', async () => {
      await on.create('one');
      await writeAt(on.fileOf('one'), 3 * MIB, 'first');
      await on.snapshot('s', 'one');
      await on.create('two', { ...fromSnapshot('s'), ...thick });
      expect(await on.pool.allocatedBytes(idOf('two'))).toBeGreaterThanOrEqual(32 * MIB);
      expect(await readAt(on.fileOf('two'), 3 * MIB, 5)).toBe('first');
    });
  });
}
