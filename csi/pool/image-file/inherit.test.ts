import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { createNodeSystem } from '../../../runtime/system/node/system.ts';
import { copyWithFilesystem } from './inherit.ts';

type State = VolumeFilesystem['state'];

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'inherit-'));
});
afterEach(() => rm(directory, { recursive: true }));

/** Copies a disk whose guest goes on from one state to another meanwhile. */
async function copyDuring(before: State, after: State): Promise<VolumeFilesystem> {
  const path = join(directory, 'fs.json');
  const record = (state: State) => writeFile(path, volumeFilesystemRecord.encode({ state, problem: 'of the source' }));
  await record(before);
  return copyWithFilesystem(createNodeSystem(), path, () => record(after));
}

test.each(['never', 'formatted', 'raw'] as const)('a copy of a disk that stays %s is so too', async (state) => {
  expect(await copyDuring(state, state)).toEqual({ state });
});

test.each([
  ['formatting', 'formatting'],
  ['never', 'formatting'],
  ['never', 'formatted'],
  ['never', 'raw'],
] as const)('a disk that goes from %s to %s is not copied now', async (before, after) => {
  await expect(copyDuring(before, after)).rejects.toMatchObject({ code: 'busy' });
});

test('nothing is copied while a file system is being made', async () => {
  let copies = 0;
  const path = join(directory, 'fs.json');
  await writeFile(path, volumeFilesystemRecord.encode({ state: 'formatting' }));
  const copy = async () => {
    copies += 1;
  };
  await expect(copyWithFilesystem(createNodeSystem(), path, copy)).rejects.toMatchObject({ code: 'busy' });
  expect(copies).toBe(0);
});
