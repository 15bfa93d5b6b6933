import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { createDemoVolume, type DemoVolume } from '../../deploy/demo/volume.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createLab, type Lab } from '../support/lab.ts';
import { QEMUS } from '../support/qemus.ts';

let lab: Lab;
let csi: CsiServer;
beforeAll(async () => {
  lab = await createLab();
  csi = await lab.csi();
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

const createVolume = (name: string): Promise<DemoVolume> =>
  createDemoVolume(csi.client, {
    name,
    pool: 'pool',
    sizeBytes: 64 << 20,
    kubeletDirectory: '/run/kubelet',
    root: lab.root,
  });
const fileOf = (volume: DemoVolume, file: keyof typeof VOLUME_FILES): string =>
  join(lab.poolDirectory, 'volumes', volume.id, VOLUME_FILES[file]);
const readFilesystem = async (volume: DemoVolume) =>
  volumeFilesystemRecord.decode(await readFile(fileOf(volume, 'filesystem'), 'utf8'), volume.id);

async function removeVolume(volume: DemoVolume, ...targets: string[]): Promise<void> {
  for (const target of targets) await volume.unpublish(target);
  await volume.unstage();
  await volume.delete();
  expect(await lab.remains()).toEqual([]);
}

describe('a volume', () => {
  it.each(QEMUS)('is formatted once, has one VM at a time, and outlives a killed one (%s)', async (_, flags) => {
    const volume = await createVolume('data');
    expect((await readFilesystem(volume)).state).toBe('never');
    const first = await volume.publish('pod-a');
    const second = await volume.publish('pod-b');
    const at = (target: string): string[] => ['--volume', `${target}:/data`, ...flags];

    const script = "echo precious >/data/file; sync; echo written yes; trap 'exit 0' TERM; while :; do sleep 1; done";
    const writer = await lab.start('writer', script, at(first));
    await lab.line(writer, 'written');
    const formatted = await readFilesystem(volume);
    expect(formatted).toMatchObject({ state: 'formatted', uuid: expect.stringMatching(/^[0-9a-f-]{36}$/) });

    const other = await lab.bundle('other', 'echo never');
    const refused = await lab.berth(['run', other, '--id', 'other', ...at(second)]);
    expect(refused.exitCode).toBe(125);
    expect(refused.stderr).toContain('writer');
    expect(refused.stderr).toContain('Recreate');
    await expect(volume.delete()).rejects.toThrow(/pod-a|writer|published/);

    await lab.kill((await lab.sandbox('writer')).vmm);
    expect(await writer.exitCode).toBe(125);
    expect(writer.stderr()).toMatch(/signal 9/);

    const reader = await lab.start('reader', 'echo "found $(cat /data/file)"', at(second));
    expect(await lab.line(reader, 'found')).toBe('precious');
    expect(await reader.exitCode).toBe(0);
    expect(await readFilesystem(volume)).toEqual(formatted);
    await removeVolume(volume, first, second);
  });

  it.each([
    ['ext2', 'mkfs.ext2', ['-q', '-F']],
    ['swap', 'mkswap', []],
  ])('with a foreign signature (%s) is refused, and not one byte of it changes', async (kind, program, flags) => {
    const volume = await createVolume(`foreign-${kind}`);
    const image = fileOf(volume, 'image');
    await exec(program, [...flags, image]);
    const before = await sha256(image);
    const target = await volume.publish('pod-f');
    const bundle = await lab.bundle(`foreign-${kind}`, 'echo never');
    const { exitCode, stderr, stdout } = await lab.berth(['run', bundle, '--volume', `${target}:/data`]);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(new RegExp(`is not blank: it carries .*${kind}`));
    expect(stderr).toContain(volume.id);
    expect(stdout).toBe('');
    expect(await sha256(image)).toBe(before);
    expect((await readFilesystem(volume)).state).toBe('never');
    await removeVolume(volume, target);
  });
});

const sha256 = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
