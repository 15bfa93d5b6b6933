import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNodeSystem } from './node/system.ts';
import { ensureNoTemporaryFiles } from './temporary-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-temporary-'));
  const names = ['a.json', 'a.json.0123456789ab.tmp', 'aa.json.0123456789ab.tmp', 'a.json.tmp', 'notes.tmp'];
  for (const name of names) await writeFile(join(directory, name), '');
});
afterEach(() => rm(directory, { recursive: true }));

describe('ensureNoTemporaryFiles', () => {
  it.each([
    ['of one file', 'a.json', ['a.json', 'a.json.tmp', 'aa.json.0123456789ab.tmp', 'notes.tmp']],
    ['of all files', undefined, ['a.json', 'a.json.tmp', 'notes.tmp']],
  ])('removes those %s, and nothing else', async (_, name, left) => {
    await ensureNoTemporaryFiles(createNodeSystem(), directory, name);
    expect((await readdir(directory)).sort()).toEqual(left);
  });

  it('is content with a directory that is not there', async () => {
    await ensureNoTemporaryFiles(createNodeSystem(), join(directory, 'none'));
  });
});
