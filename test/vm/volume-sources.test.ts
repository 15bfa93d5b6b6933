import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createLab, type Lab } from '../support/lab.ts';
import { createLabVolume } from '../support/lab-volumes.ts';
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

describe('a path of kubelet', () => {
  it('that shows a part of the placeholder shows that part of the volume', async () => {
    const volume = await createLabVolume(lab, csi, 'shown');
    const subPaths = '/run/kubelet/pods/shown/volume-subpaths/data/web';
    // As kubelet does it: the directory is made on the placeholder, and bind-mounted beside it.
    await lab.exec('mkdir', '-p', `${volume.target}/logs/a b`, `${subPaths}/0`);
    await lab.exec('mount', '--bind', `${volume.target}/logs/a b`, `${subPaths}/0`);
    const part = ['--volume', `${subPaths}/0:/data`];
    expect(await lab.run('part', 'echo deep >/data/file; sync', part)).toMatchObject({ exitCode: 0 });
    const whole = await lab.run('whole', 'cat "/data/logs/a b/file"', ['--volume', `${volume.target}:/data`]);
    expect(whole).toMatchObject({ exitCode: 0, stdout: 'deep\n' });

    await lab.exec('rmdir', `${volume.target}/logs/a b`);
    const removed = await lab.run('removed', 'echo never', part);
    expect(removed).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining('was removed from the placeholder'),
    });
    await lab.exec('umount', `${subPaths}/0`);
    await volume.remove();
    expect(await lab.remains()).toEqual([]);
  });

  it('may lead through a symbolic link', async () => {
    await mkdir(`${lab.root}/run/disk2/kubelet`, { recursive: true });
    await symlink('disk2/kubelet', `${lab.root}/run/kubelet-link`);
    const volume = await createLabVolume(lab, csi, 'linked', '/run/kubelet-link');
    expect(volume.target).toContain('/run/kubelet-link/');
    const said = await lab.run('linked', 'echo here >/data/file && cat /data/file', [
      '--volume',
      `${volume.target}/:/data`,
    ]);
    expect(said).toMatchObject({ exitCode: 0, stdout: 'here\n' });
    await volume.remove();
  });
});

describe('a volume of another driver', () => {
  it.each(QEMUS)(
    'is mounted as it is, from a file or a block device, and one VM at a time writes (%s)',
    async (_, flags) => {
      const image = join(lab.scratch, `foreign-${flags.length}.raw`);
      await exec('truncate', ['--size', '32M', image]);
      await exec('mkfs.ext4', ['-q', '-L', 'theirs', image]);
      const loop = (await lab.exec('losetup', '--find', '--show', image)).trim();
      try {
        const target = '/run/kubelet/pods/f/volumes/kubernetes.io~csi/foreign/mount';
        const leave = async (device: string): Promise<void> => {
          const name = Buffer.from(target).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
          const directory = `${lab.root}/run/kata-containers/shared/direct-volumes/${name}`;
          await mkdir(directory, { recursive: true });
          const metadata = { fsGroup: '2000', createFilesystem: 'true' };
          const info = { 'volume-type': 'directvol', device, fstype: 'ext4', metadata, options: ['rw', 'noatime'] };
          await writeFile(join(directory, 'mountInfo.json'), JSON.stringify(info));
        };
        await mkdir(`${lab.root}${target}`, { recursive: true });
        const at = ['--volume', `${target}:/data`, ...flags];
        await leave(loop);
        const first = await lab.run('first', 'echo theirs >/data/file; sync; stat -c %g /data', at);
        expect(first, first.stderr).toMatchObject({ exitCode: 0, stdout: '2000\n' });
        expect(first.stderr).toContain('createFilesystem of mountInfo.json is ignored');
        await lab.exec('losetup', '--detach', loop);

        await leave(image);
        const holder = await lab.start(
          'holder',
          'cat /data/file; echo "holding it"; trap "exit 0" TERM; while :; do sleep 1; done',
          at,
        );
        await lab.line(holder, 'holding');
        expect(holder.lines()).toContain('theirs');
        const second = await lab.run('second', 'echo never', at);
        expect(second).toMatchObject({
          exitCode: 125,
          stdout: '',
          stderr: expect.stringMatching(/Failed to get "write" lock/),
        });
        expect(await holder.end()).toBe(0);
      } finally {
        await lab.exec('losetup', '--detach', loop).catch(() => {});
      }
    },
  );
});
