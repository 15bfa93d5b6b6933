import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parseVolumeId } from '../proto/ids.ts';
import { DEFAULT_CLASS } from '../proto/volume-class.ts';
import { FILESYSTEMS, type Filesystem } from '../proto/volume-spec.ts';
import { formatForKata } from './kata-format.ts';

const scratch = await mkdtemp(join(tmpdir(), 'berth-kata-'));
afterAll(() => rm(scratch, { recursive: true }));

const spec = (fsType: Filesystem, mkfsOptions: readonly string[] = []) => ({
  volumeId: parseVolumeId('main.0123456789ab.pvc-1'),
  fsType,
  class: { ...DEFAULT_CLASS, mkfsOptions: [...mkfsOptions] },
});

async function makeImage(name: string): Promise<string> {
  const path = join(scratch, name);
  await writeFile(path, '');
  await truncate(path, 512 << 20);
  return path;
}

async function probe(image: string): Promise<string> {
  return (await promisify(execFile)('blkid', ['--probe', '--output', 'export', image])).stdout;
}

describe('a volume for stock Kata', () => {
  it.each(FILESYSTEMS)('has a file system: %s', async (fsType) => {
    const image = await makeImage(fsType);
    const uuid = await formatForKata(image, spec(fsType));
    expect((await probe(image)).split('\n')).toEqual(expect.arrayContaining([`TYPE=${fsType}`, `UUID=${uuid}`]));
  });

  it('takes the options of its class', async () => {
    const image = await makeImage('labelled');
    await formatForKata(image, spec('ext4', ['-L', 'label']));
    expect(await probe(image)).toContain('LABEL=label');
  });

  it('gets nothing of the directory that the driver works in', async () => {
    const image = await makeImage('alone');
    expect((await stat('proto')).isDirectory()).toBe(true);
    await expect(formatForKata(image, spec('ext4', ['-d', 'proto']))).rejects.toMatchObject({ code: 'exec' });
  });

  it('is not formatted twice', async () => {
    const image = await makeImage('twice');
    const uuid = await formatForKata(image, spec('ext4'));
    await expect(formatForKata(image, spec('ext4'))).rejects.toMatchObject({ code: 'precondition' });
    expect(await probe(image)).toContain(uuid);
  });
});
