import { expect, it } from 'vitest';
import { parseVolumeId } from '../proto/ids.ts';
import type { VolumeFilesystem } from '../proto/volume-filesystem.ts';
import { VolumeConditions } from './volume-conditions.ts';
import type { FoundVolume } from './volumes.ts';

const volumeId = parseVolumeId('a.0123456789ab.v');

function setUp() {
  const world = { nowMs: 0, reads: 0, disk: '', fs: { state: 'formatted' } as VolumeFilesystem | Error };
  const conditions = new VolumeConditions(() => world.nowMs);
  const filesystemOf = async () => {
    world.reads += 1;
    if (world.fs instanceof Error) throw world.fs;
    return world.fs;
  };
  const problemOf = async () => world.disk;
  const volume = { pool: { filesystemOf, problemOf }, spec: { volumeId } } as unknown as FoundVolume;
  return { world, conditions, volume };
}

it('has the word of the last guest, and the file for a listing only now and then', async () => {
  const { world, conditions, volume } = setUp();
  expect(await conditions.problemsOf([volume])).toEqual(['']);
  world.fs = { state: 'formatted', problem: 'needs a repair' };
  world.nowMs = 29_000;
  expect(await conditions.problemsOf([volume])).toEqual(['']);
  expect(world.reads).toBe(1);
  world.nowMs = 31_000;
  expect(await conditions.problemsOf([volume])).toEqual(['needs a repair']);
  world.fs = { state: 'formatted' };
  expect(await conditions.problemOf(volume)).toBe('');
  expect(await conditions.problemsOf([volume])).toEqual(['']);
});

it('is read once for listings that come at the same time', async () => {
  const { world, conditions, volume } = setUp();
  world.fs = { state: 'formatted', problem: 'needs a repair' };
  const both = await Promise.all([conditions.problemsOf([volume]), conditions.problemsOf([volume])]);
  expect(both).toEqual([['needs a repair'], ['needs a repair']]);
  expect(world.reads).toBe(1);
});

it('tells of the disk beside what is on it', async () => {
  const { world, conditions, volume } = setUp();
  world.disk = 'the image is too long';
  expect(await conditions.problemOf(volume)).toBe('the image is too long');
  world.fs = { state: 'formatted', problem: 'needs a repair' };
  expect(await conditions.problemOf(volume)).toBe('the image is too long; needs a repair');
});

it('believes the guest that lives, for as long as it is asked', async () => {
  const { world, conditions, volume } = setUp();
  conditions.note(volumeId, 'the pool is full');
  expect(await conditions.problemOf(volume)).toBe('the pool is full');
  expect(await conditions.problemsOf([volume])).toEqual(['the pool is full']);
  expect(world.reads).toBe(0);
  world.nowMs = 121_000;
  expect(await conditions.problemOf(volume)).toBe('');
  conditions.note(volumeId, 'the pool is full');
  conditions.note(volumeId, '');
  expect(await conditions.problemOf(volume)).toBe('');
});

it('says that a record cannot be read, and of a volume that is gone nothing', async () => {
  const { world, conditions, volume } = setUp();
  world.fs = new Error('fs.json is not JSON');
  expect(await conditions.problemOf(volume)).toBe('the state of the volume cannot be read: fs.json is not JSON');
  conditions.note(volumeId, 'the pool is full');
  conditions.forget(volumeId);
  world.fs = { state: 'never' };
  expect(await conditions.problemsOf([volume])).toEqual(['']);
});

it.each(['x'.repeat(9000), `${'x'.repeat(999)}😀`, 'half a pair: \ud800'])(
  'is not led on by a guest',
  async (words) => {
    const { world, conditions, volume } = setUp();
    world.fs = { state: 'formatted', problem: words };
    const read = await conditions.problemOf(volume);
    conditions.note(volumeId, words);
    for (const problem of [read, await conditions.problemOf(volume)]) {
      expect(problem.length).toBeLessThanOrEqual(1000);
      expect(() => encodeURI(problem)).not.toThrow();
    }
  },
);
