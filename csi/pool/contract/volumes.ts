import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { encodeLease } from '../../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../../proto/volume-spec.ts';
import { fromVolume, idOf, MIB, type OpenBench, thick } from './bench.ts';

/** Volumes that come, change and go, who has them, and those whose record is broken. */
export function describeVolumes(openBench: () => OpenBench): void {
  let on: OpenBench;
  beforeEach(() => {
    on = openBench();
  });

  describe('volumes', () => {
    test('are blank, whole, and there after a start', async () => {
      const spec = await on.create('one');
      const filesBefore = (await readdir(on.pool.directoryOf(spec.volumeId))).sort();
      expect(filesBefore).toEqual(Object.values(VOLUME_FILES).sort());
      expect(await on.pool.filesystemOf(spec.volumeId)).toEqual({ state: 'never' });
      expect((await readFile(on.fileOf('one'))).equals(Buffer.alloc(spec.capacityBytes))).toBe(true);
      expect(await on.pool.allocatedBytes(spec.volumeId)).toBeLessThan(MIB);
      await on.reopen();
      expect(on.pool.find(spec.volumeId)).toEqual(spec);
    });

    test('are listed by id; a listing that is held does not change', async () => {
      for (const volume of ['m', 'c', 'x']) await on.create(volume);
      const held = on.pool.volumes();
      await on.create('a');
      await on.remove('m');
      expect(held.map((spec) => spec.name)).toEqual(['c', 'm', 'x']);
      expect(on.names()).toEqual(['a', 'c', 'x']);
      await on.reopen();
      expect(on.names()).toEqual(['a', 'c', 'x']);
    });

    test('keep their id to themselves', async () => {
      await on.create('one');
      await writeFile(on.fileOf('one'), 'data', { flag: 'r+' });
      await expect(on.create('one')).rejects.toMatchObject({ code: 'exists' });
      expect((await readFile(on.fileOf('one'))).subarray(0, 4).toString()).toBe('data');
    });

    test('can be made many at once', async () => {
      const names = Array.from({ length: 12 }, (_, index) => `v${index}`);
      await Promise.all(names.map((volume) => on.create(volume)));
      expect(on.names()).toEqual([...names].sort());
      await Promise.all(names.map((volume) => on.remove(volume)));
      expect(on.pool.volumes()).toEqual([]);
    });

    test('that are thick have their blocks', async () => {
      const spec = await on.create('one', thick);
      expect(await on.pool.allocatedBytes(spec.volumeId)).toBeGreaterThanOrEqual(spec.capacityBytes);
      expect((await readFile(on.fileOf('one'))).equals(Buffer.alloc(spec.capacityBytes))).toBe(true);
    });

    test.each([
      ['thin', {}],
      ['thick', thick],
    ])('that are %s grow, and never shrink', async (_provisioning, changes) => {
      await on.create('one', changes);
      await writeFile(on.fileOf('one'), 'data', { flag: 'r+' });
      const grown = await on.pool.grow(idOf('one'), 48 * MIB);
      expect(grown.capacityBytes).toBe(48 * MIB);
      expect(await on.pool.grow(idOf('one'), 8 * MIB)).toEqual(grown);
      await on.reopen();
      expect(on.pool.find(idOf('one'))).toEqual(grown);
      const content = await readFile(on.fileOf('one'));
      expect([content.length, content.subarray(0, 4).toString()]).toEqual([48 * MIB, 'data']);
      if (changes === thick) expect(await on.pool.allocatedBytes(idOf('one'))).toBeGreaterThanOrEqual(48 * MIB);
    });

    test('take new limits, and nothing else', async () => {
      const spec = await on.create('one');
      const limits = { iops: 500, bandwidthBytes: 10 * MIB };
      await on.pool.update({ ...spec, limits, capacityBytes: 1 });
      await on.reopen();
      expect(on.pool.find(idOf('one'))).toEqual({ ...spec, limits });
    });

    test('go, and leave nothing', async () => {
      const before = await on.bench.remains();
      await on.create('one');
      expect(await on.remove('one')).toBe(true);
      expect(await on.remove('one')).toBe(false);
      expect(on.pool.find(idOf('one'))).toBeUndefined();
      expect(await on.bench.remains()).toEqual(before);
    });

    test('that are unknown are not found', async () => {
      await expect(on.pool.grow(idOf('none'), MIB)).rejects.toMatchObject({ code: 'not-found' });
      await expect(on.create('one', fromVolume('none'))).rejects.toMatchObject({ code: 'not-found' });
      await expect(on.snapshot('s', 'none')).rejects.toMatchObject({ code: 'not-found' });
    });
  });

  describe('leases', () => {
    test('say who has the volume, and keep its data', async () => {
      await on.create('one');
      expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
      const path = on.fileOf('one', 'lease');
      const vm = await on.bench.holdLease(path);
      try {
        expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'vm', podUid: 'pod-1', sandboxId: 'sandbox-1' });
        expect(await on.pool.lease(idOf('one'))).toBeUndefined();
        const refusal = { code: 'precondition', message: expect.stringContaining('sandbox-1') };
        await expect(on.remove('one')).rejects.toMatchObject(refusal);
        expect(on.pool.find(idOf('one'))).toBeDefined();
      } finally {
        await vm.release();
      }
      expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
      expect(await on.remove('one')).toBe(true);
    });

    test('say of who is no pod what it does', async () => {
      await on.create('one');
      const path = on.fileOf('one', 'lease');
      const holder = await on.bench.holdLease(path);
      await writeFile(path, encodeLease({ purpose: 'berth volume is at work on it', takenAtMs: 1 }));
      const words = 'berth volume is at work on it';
      expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'other', words });
      await expect(on.remove('one')).rejects.toThrow(`in use: ${words}`);
      await holder.release();
    });

    test('that the pool has are named too', async () => {
      await on.create('one');
      const lease = await on.pool.lease(idOf('one'));
      expect(await on.pool.ownerOf(idOf('one'))).toMatchObject({ kind: 'other' });
      expect(await on.pool.lease(idOf('one'))).toBeUndefined();
      await lease?.release();
      expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
    });
  });

  describe('what is damaged', () => {
    test('or put there by somebody else is not replaced', async () => {
      await on.create('one');
      const directory = on.pool.directoryOf(idOf('two'));
      await mkdir(directory);
      await writeFile(join(directory, 'data'), 'of somebody else');
      const before = await on.bench.remains();
      await expect(on.create('two')).rejects.toMatchObject({ code: 'exists' });
      await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'exists' });
      expect(await on.bench.remains()).toEqual(before);
      await on.reopen();
      expect([...on.pool.unreadable.keys()]).toEqual([idOf('two')]);
    });

    test('in that its lease is gone is not deleted before somebody has seen to it', async () => {
      await on.create('one');
      const lease = on.fileOf('one', 'lease');
      await rm(lease);
      const refusal = { code: 'precondition', message: expect.stringContaining(`touch ${lease}`) };
      await expect(on.remove('one')).rejects.toMatchObject(refusal);
      await writeFile(lease, '');
      expect(await on.remove('one')).toBe(true);
    });

    test('is kept, named, and in nobody’s way', async () => {
      await on.create('one');
      await on.create('two');
      await writeFile(on.fileOf('one', 'spec'), '{"v": 99}');
      await on.reopen();
      expect([...on.pool.unreadable.keys()]).toEqual([idOf('one')]);
      expect(on.names()).toEqual(['two']);
      expect(() => on.pool.find(idOf('one'))).toThrow(/version 99/);
      await expect(on.create('one')).rejects.toMatchObject({ code: 'exists' });
      expect((await stat(on.fileOf('one'))).size).toBe(32 * MIB);
      expect(await on.remove('one')).toBe(true);
      expect(on.pool.find(idOf('one'))).toBeUndefined();
    });
  });
}
