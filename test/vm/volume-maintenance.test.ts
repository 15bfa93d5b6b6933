import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createLab, type Finished, type Lab } from '../support/lab.ts';
import { createLabVolume, type LabVolume } from '../support/lab-volumes.ts';

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

const imageOf = (volume: LabVolume): string => join(lab.poolDirectory, 'volumes', volume.id, 'image.raw');
const allocatedBytes = async (path: string): Promise<number> => (await stat(path)).blocks * 512;

function berthVolume(verb: string, volume: LabVolume, ...args: readonly string[]): Promise<Finished> {
  const pool = ['--pool', `pool=image-file:${lab.poolDirectory}`];
  return lab.berth(['volume', verb, volume.id, ...args, ...pool, '--accelerator', 'tcg']);
}

/** A pod with the volume at /data, to its end. */
const runScript = (name: string, volume: LabVolume, script: string): Promise<Finished> =>
  lab.run(name, script, ['--volume', `${volume.target}:/data`]);

describe('berth volume', () => {
  it('checks what no pod has, says what is wrong, mends it as far as it may, and a pod goes on', async () => {
    const volume = await createLabVolume(lab, csi, 'sick');
    expect(await berthVolume('fsck', volume)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('has no file system yet'),
    });
    expect(await runScript('first', volume, 'echo precious >/data/file; sync')).toMatchObject({ exitCode: 0 });
    expect(await berthVolume('fsck', volume)).toMatchObject({ exitCode: 0 });

    // A root directory that is none: nothing that a check mends without being asked to.
    await exec('debugfs', ['-w', '-R', 'set_inode_field <2> mode 0100644', imageOf(volume)]);
    await exec('debugfs', ['-w', '-R', 'set_super_value state 2', imageOf(volume)]);
    const refused = await runScript('second', volume, 'echo never');
    expect(refused).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('berth volume fsck') });
    expect((await volume.filesystem()).problem).toContain('berth volume fsck');
    const before = await readFile(imageOf(volume));
    expect(await berthVolume('fsck', volume)).toMatchObject({ exitCode: 1 });
    expect(before.equals(await readFile(imageOf(volume)))).toBe(true);
    expect(await berthVolume('fsck', volume, '--repair', 'safe')).toMatchObject({ exitCode: 1 });

    const mended = await berthVolume('rescue', volume, '--no-copy');
    expect(mended, mended.stdout).toMatchObject({ exitCode: 0 });
    expect((await volume.filesystem()).problem).toBeUndefined();
    const found = await runScript('third', volume, 'cat /data/lost+found/*');
    expect(found.stdout).toContain('precious');
    await volume.remove();
    expect(await lab.remains()).toEqual([]);
  });

  it('gives space back, with a pod and without one', async () => {
    const volume = await createLabVolume(lab, csi, 'fat');
    const fill = 'dd if=/dev/urandom of=/data/big bs=1M count=24 2>/dev/null; sync; rm /data/big; sync';
    const pod = await lab.start('eater', `${fill}; echo "eaten all"; trap 'exit 0' TERM; while :; do sleep 1; done`, [
      '--volume',
      `${volume.target}:/data`,
    ]);
    await lab.line(pod, 'eaten');
    const full = await allocatedBytes(imageOf(volume));
    expect(await berthVolume('trim', volume)).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/MiB$/m) });
    expect(await allocatedBytes(imageOf(volume))).toBeLessThan(full - (20 << 20));
    const busy = await berthVolume('fsck', volume);
    expect(busy).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('in use by pod') });
    expect(await pod.end()).toBe(0);

    expect(await runScript('again', volume, `echo kept >/data/kept; ${fill}`)).toMatchObject({ exitCode: 0 });
    const fullAgain = await allocatedBytes(imageOf(volume));
    expect(await berthVolume('trim', volume)).toMatchObject({ exitCode: 0 });
    expect(await allocatedBytes(imageOf(volume))).toBeLessThan(fullAgain - (20 << 20));

    const file = join(lab.scratch, 'exported.raw');
    expect(await berthVolume('export', volume, file)).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await readFile(file)).equals(await readFile(imageOf(volume)))).toBe(true);
    expect(await allocatedBytes(file)).toBeLessThan((await allocatedBytes(imageOf(volume))) + (4 << 20));
    expect(await berthVolume('export', volume, file)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('is there already'),
    });
    await volume.remove();

    const image = ['volume', 'import', file, '--name', 'photos', '--pool', `pool=image-file:${lab.poolDirectory}`];
    const imported = await lab.berth([...image, '--endpoint', 'unix:///run/csi.sock']);
    expect(imported, imported.stderr).toMatchObject({ exitCode: 0 });
    const { spec } = JSON.parse(imported.stdout) as { spec: { csi: { volumeHandle: string } } };
    const again = await createLabVolume(lab, csi, 'imported-photos');
    expect(again.id).toBe(spec.csi.volumeHandle);
    expect((await readFile(file)).equals(await readFile(imageOf(again)))).toBe(true);
    expect(await runScript('reader', again, 'cat /data/kept')).toMatchObject({ exitCode: 0, stdout: 'kept\n' });
    expect(await again.filesystem()).toMatchObject({ state: 'raw' });
    expect(await lab.berth([...image, '--endpoint', 'unix:///run/csi.sock'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('has been used'),
    });
    await again.remove();
    expect(await lab.remains()).toEqual([]);
  });
});
