import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { exec } from '../../runtime/system/node/exec.ts';
import type { Claim } from '../support/claims.ts';
import { type ClaimsLab, createClaimsLab } from '../support/claims-lab.ts';
import { breakXfsLog, zero } from '../support/damage.ts';
import type { Finished } from '../support/lab.ts';

const MIB = 2 ** 20;

let lab: ClaimsLab;
beforeAll(async () => {
  lab = await createClaimsLab();
});
afterEach(async () => {
  await lab.removeClaims();
  expect(await lab.remains()).toEqual([]);
});
afterAll(() => lab.close());

function rescue(volume: Claim, ...args: readonly string[]): Promise<Finished> {
  const pool = ['--pool', `pool=image-file:${lab.poolDirectory}`];
  return lab.berth(['volume', 'rescue', volume.id, ...args, ...pool, '--accelerator', 'tcg']);
}

/** A pod with the volume at /data, to its end. */
const runScript = (name: string, target: string, script: string): Promise<Finished> =>
  lab.run(name, script, ['--volume', `${target}:/data`]);

/** A pod that is refused for the volume, which has the condition afterwards. */
async function expectRefused(volume: Claim, target: string): Promise<void> {
  const refused = await runScript('refused', target, 'echo never');
  expect(refused).toMatchObject({ exitCode: 125, stdout: '', stderr: expect.stringContaining('berth volume rescue') });
  expect(await volume.problem()).toContain('berth volume rescue');
}

const copiesOf = async ({ image }: Claim): Promise<string[]> =>
  (await readdir(dirname(image))).filter((name) => name.startsWith('copy-'));

const sum = async (path: string): Promise<string> => exec('sh', ['-c', 'sha256sum <"$1"', 'sh', path]);

describe('berth volume rescue', () => {
  it('repairs an ext4 that wants a person, loses nothing that was whole, and leads back', async () => {
    const volume = await lab.claim({ name: 'sick', fsType: 'ext4', sizeBytes: 256 * MIB });
    const never = await rescue(volume);
    expect(never).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('no file system yet') });
    const target = await volume.publish('pod');
    const made = await runScript(
      'first',
      target,
      `head -c 9000000 /dev/urandom >/data/kept; mkdir /data/lost; echo precious >/data/lost/file
sha256sum /data/kept`,
    );
    expect(made).toMatchObject({ exitCode: 0 });

    // A directory whose inode is gone, and no superblock where it belongs.
    await exec('debugfs', ['-w', '-R', 'clri /lost', volume.image]);
    await zero(volume.image, 1024, 1024);
    const damaged = await sum(volume.image);
    await expectRefused(volume, target);
    expect(await rescue(volume, '--zero-log')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ext4') });
    expect(await sum(volume.image)).toBe(damaged);

    const rescued = await rescue(volume);
    expect(rescued, rescued.stdout + rescued.stderr).toMatchObject({ exitCode: 0, stderr: '' });
    expect(rescued.stdout).toMatch(/e2fsck -f -y.*exit status 1.*e2fsck -f -n.*exit status 0.*rescued: the ext4/s);
    const [copy = '', ...others] = await copiesOf(volume);
    expect(others).toEqual([]);
    expect(rescued.stdout).toContain(`--back-to ${copy}`);
    expect(await sum(join(dirname(volume.image), copy))).toBe(damaged);
    expect((await stat(join(dirname(volume.image), copy))).mode & 0o777).toBe(0o600);
    expect(await volume.problem()).toBe('');
    const found = await runScript(
      'second',
      target,
      'sha256sum /data/kept; cat /data/lost+found/*; echo new >/data/new',
    );
    expect(found).toMatchObject({ exitCode: 0, stdout: `${made.stdout}precious\n` });

    expect(await rescue(volume, '--back-to', 'copy-1.raw')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`there is ${copy}`),
    });
    const whole = await sum(volume.image);
    const back = await rescue(volume, '--back-to', copy);
    expect(back, back.stderr).toMatchObject({ exitCode: 0 });
    expect(await sum(volume.image)).toBe(damaged);
    expect(await volume.problem()).toContain('was put back');
    await expectRefused(volume, target);

    const [setAside = ''] = await copiesOf(volume);
    expect(back.stdout).toContain(setAside);
    expect(await rescue(volume, '--back-to', setAside)).toMatchObject({ exitCode: 0 });
    expect(await sum(volume.image)).toBe(whole);
    const again = await runScript('third', target, 'sha256sum /data/kept; cat /data/new');
    expect(again).toMatchObject({ exitCode: 0, stdout: `${made.stdout}new\n` });
    expect(await volume.problem()).toBe('');
  });

  it('drops the log of an xfs only when it is told to', async () => {
    const volume = await lab.claim({ name: 'torn', fsType: 'xfs', sizeBytes: 320 * MIB });
    const target = await volume.publish('pod');
    const kept = await runScript('first', target, 'head -c 9000000 /dev/urandom >/data/kept; sha256sum /data/kept');
    expect(kept).toMatchObject({ exitCode: 0 });
    const script = `n=0; while [ $n -lt 2000 ]; do n=$((n + 1)); mkdir /data/d$n; done; sync; echo "written all"
while :; do sleep 1; done`;
    const writer = await lab.start('writer', script, ['--volume', `${target}:/data`]);
    await lab.line(writer, 'written');
    await lab.kill((await lab.sandbox('writer')).vmm);
    expect(await writer.exitCode).toBe(125);
    await breakXfsLog(volume.image);
    await expectRefused(volume, target);

    const refused = await rescue(volume);
    expect(refused, refused.stdout).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--zero-log') });
    expect(refused.stdout).toContain('could not be replayed');
    expect(await volume.problem()).not.toBe('');
    const [copy = ''] = await copiesOf(volume);

    const rescued = await rescue(volume, '--zero-log', '--no-copy');
    expect(rescued, rescued.stdout + rescued.stderr).toMatchObject({ exitCode: 0, stderr: '' });
    expect(rescued.stdout).toMatch(/xfs_repair -L .*xfs_repair -n .*rescued: the xfs/s);
    expect(await copiesOf(volume)).toEqual([copy]);
    expect(await volume.problem()).toBe('');
    const reader = 'sha256sum /data/kept; echo new >/data/new && cat /data/new';
    expect(await runScript('reader', target, reader)).toMatchObject({ exitCode: 0, stdout: `${kept.stdout}new\n` });
  });

  it('puts a superblock of btrfs back, and tells what it does not repair', async () => {
    const volume = await lab.claim({ name: 'headless', fsType: 'btrfs', sizeBytes: 128 * MIB });
    const target = await volume.publish('pod');
    const script = 'head -c 9000000 /dev/urandom >/data/kept; sha256sum /data/kept';
    const made = await runScript('first', target, script);
    expect(made).toMatchObject({ exitCode: 0 });
    await zero(volume.image, 64 << 10, 4096);
    await expectRefused(volume, target);
    const rescued = await rescue(volume);
    expect(rescued, rescued.stdout + rescued.stderr).toMatchObject({ exitCode: 0 });
    expect(await runScript('second', target, 'sha256sum /data/kept')).toMatchObject({
      exitCode: 0,
      stdout: made.stdout,
    });

    // Both superblocks: what is left is for btrfs restore, in an export.
    for (const offset of [64 << 10, 64 << 20]) await zero(volume.image, offset, 4096);
    const lost = await rescue(volume);
    expect(lost).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/btrfs check --repair.*berth volume export/),
    });
    const [, last = ''] = await copiesOf(volume);
    expect((await readFile(volume.image)).equals(await readFile(join(dirname(volume.image), last)))).toBe(true);
  });
});
