import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { guestVolumePath } from '../../proto/guest-layout.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { bootGuestVm, createImage, type GuestDisk, type GuestVm } from '../support/guest-vm.ts';

const MIB = 2 ** 20;
const GROWN = 1024 * MIB;
/** XFS and btrfs have a smallest size. `superblock` is where the first one lies; others must be found without it. */
const FILESYSTEMS = [
  ['ext4', { sizeBytes: 64 * MIB, superblock: 1024 }],
  ['xfs', { sizeBytes: 320 * MIB, superblock: 0 }],
  ['btrfs', { sizeBytes: 256 * MIB, superblock: 65536 }],
] as const;

let scratch: string;
let vm: GuestVm;
let boots = 0;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-guest-'));
});
afterEach(() => vm?.kill());
afterAll(() => rm(scratch, { recursive: true }));

async function boot(...disks: GuestDisk[]): Promise<void> {
  boots += 1;
  const directory = join(scratch, `boot-${boots}`);
  await exec('mkdir', [directory]);
  vm = await bootGuestVm(directory, disks);
}

/** Zeroes a block of a disk that no guest has. */
async function overwrite({ image }: GuestDisk, offset: number): Promise<void> {
  const file = await open(image, 'r+');
  await file.write(new Uint8Array(512), 0, 512, offset);
  await file.close();
}

async function newDisk(serial: string, sizeBytes: number): Promise<GuestDisk> {
  const image = join(scratch, `${serial}-${boots}.img`);
  await createImage(image, sizeBytes);
  return { serial, image };
}

const storage = (serial: string, fsType: string) => ({
  ...{ serial, fsType, mountPoint: guestVolumePath(serial), options: [], readOnly: false, ownership: undefined },
});
const allocated = async ({ image }: GuestDisk): Promise<number> => (await stat(image)).blocks * 512;

describe.each(FILESYSTEMS)('%s', (fsType, { sizeBytes, superblock }) => {
  it('grows, freezes, trims, survives a power failure, lives beside its clone, is not mounted damaged', async () => {
    const disk = await newDisk('v', sizeBytes);
    const mounts = [{ serial: 'v', path: '/data' }];
    await boot(disk);
    await vm.agent.call('checkBlank', { serial: 'v' });
    await vm.agent.call('formatVolume', { serial: 'v', fsType, resume: false, mkfsOptions: ['-L', 'mine'] });
    await expect(vm.agent.call('checkBlank', { serial: 'v' })).rejects.toThrow(new RegExp(`${fsType} labelled mine`));
    const before = await vm.agent.call('mountVolume', storage('v', fsType));
    expect(before).toMatchObject({ isReadOnly: false });

    const fill = 'head -c 24000000 /dev/urandom >/data/big; sync; sha256sum </data/big';
    const writer = vm.run(fill, { mounts });
    await vm.resize('v', GROWN);
    const { deviceBytes, capacityBytes } = await vm.agent.call('growVolume', { serial: 'v', sizeBytes: GROWN });
    expect(deviceBytes).toBe(GROWN);
    expect(capacityBytes).toBeGreaterThan(0.8 * GROWN);
    const sum = await writer;
    const after = await vm.agent.call('measureVolume', { serial: 'v' });
    expect(after.capacityBytes).toBe(capacityBytes);
    expect(after.usedBytes - before.usedBytes).toBeGreaterThan(23_000_000);

    await vm.agent.call('freezeVolumes', { serials: ['v'], timeoutMs: 60_000 });
    let isWritten = false;
    const waiting = vm.run('echo later >/data/later', { mounts }).then(() => {
      isWritten = true;
    });
    await setTimeout(1000);
    expect(isWritten).toBe(false);
    expect(await vm.agent.call('thawVolumes', { serials: ['v'] })).toEqual({ wasHeld: true });
    await waiting;

    await vm.run('cp /data/big /data/copy; sync', { mounts });
    const full = await allocated(disk);
    await vm.run('rm /data/copy; sync', { mounts });
    const { trimmedBytes } = await vm.agent.call('trimVolume', { serial: 'v' });
    expect(trimmedBytes).toBeGreaterThan(20_000_000);
    expect(await allocated(disk)).toBeLessThan(full - 20_000_000);

    const unfinished = vm.run('while :; do cat /data/big >>/data/more; rm /data/more; done', { mounts });
    unfinished.catch(() => {});
    await setTimeout(500);
    await vm.kill();

    const clone = { serial: 'clone', image: `${disk.image}.clone` };
    await exec('cp', ['--sparse=always', disk.image, clone.image]);
    await boot(disk, clone);
    const check = (repair: string) => vm.agent.call('checkVolume', { serial: 'v', fsType, repair });
    const mistaken = { serial: 'v', fsType: fsType === 'xfs' ? 'ext4' : 'xfs', repair: 'full' };
    await expect(vm.agent.call('checkVolume', mistaken)).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringContaining(`carries ${fsType} labelled mine`),
    });
    expect(await check('safe')).toMatchObject({ isClean: true });
    const content = 'sha256sum </data/big; cat /data/later';
    for (const serial of ['v', 'clone']) {
      await vm.agent.call('mountVolume', storage(serial, fsType));
      expect(await vm.run(content, { mounts: [{ serial, path: '/data' }] })).toBe(`${sum}later\n`);
      await vm.run(`echo ${serial} >/data/own`, { mounts: [{ serial, path: '/data' }] });
    }
    const both = [...mounts, { serial: 'clone', path: '/clone' }];
    expect(await vm.run('cat /data/own /clone/own', { mounts: both })).toBe('v\nclone\n');
    await vm.agent.call('freezeVolumes', { serials: ['v'], timeoutMs: 60_000 });
    await vm.shutdown();

    await overwrite(disk, superblock);
    await boot(disk);
    await expect(vm.agent.call('mountVolume', storage('v', fsType))).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringMatching(/damaged beyond what is safe to repair.*berth volume fsck/),
    });
    expect(await check('none')).toMatchObject({ isClean: false, words: expect.stringMatching(/super|btrfs/i) });
    expect(await check('full')).toMatchObject({ isClean: true });
    expect(await check('none')).toMatchObject({ isClean: true });
    await vm.agent.call('mountVolume', storage('v', fsType));
    expect(await vm.run(content, { mounts })).toBe(`${sum}later\n`);
  });
});

describe('the volumes of a container', () => {
  it('belong to its group, in parts that lead nowhere else, and as devices', async () => {
    const [volume, raw] = [await newDisk('v', 64 * MIB), await newDisk('raw', 16 * MIB)];
    await boot(volume, raw);
    await vm.agent.call('formatVolume', { serial: 'v', fsType: 'ext4', resume: false, mkfsOptions: [] });
    const ownership = { gid: 4711, policy: 'OnRootMismatch' };
    await vm.agent.call('mountVolume', { ...storage('v', 'ext4'), ownership });

    const nobody = { user: 1000, groups: [4711] };
    const mount = (subPath: string, path = '/data') => ({ mounts: [{ serial: 'v', subPath, path }] });
    await vm.run('mkdir /data/d; echo mine >/data/d/file; ln -s /etc /data/out; ln -s ../.. /data/d/up', {
      ...mount(''),
      ...nobody,
    });
    await expect(vm.run('echo theirs >/data/x', { ...mount(''), user: 1001 })).rejects.toThrow(/Permission denied/);
    expect(await vm.run('cat /data', mount('d/file'))).toBe('mine\n');
    const parts = [
      { serial: 'v', subPath: 'new/b c', path: '/data' },
      { serial: 'v', path: '/whole', readOnly: true },
    ];
    expect(await vm.run('echo new >/data/here; cat "/whole/new/b c/here"', { ...nobody, mounts: parts })).toBe('new\n');
    await expect(vm.run('true', mount('out'))).rejects.toThrow(/"out" of disk v leads out of the volume/);
    await expect(vm.run('true', mount('d/up/x'))).rejects.toThrow(/leads out/);
    await expect(
      vm.run('echo x >/data/file', { mounts: [{ serial: 'v', path: '/data', readOnly: true }] }),
    ).rejects.toThrow(/Read-only file system/);

    const device = { serial: 'raw', path: '/dev/xvda' };
    await vm.run('echo raw | dd of=/dev/xvda bs=512 seek=3 conv=sync,fsync', {
      devices: [{ ...device, readOnly: false }],
    });
    const reading = { devices: [{ ...device, readOnly: true }] };
    expect(await vm.run('dd if=/dev/xvda bs=512 skip=3 count=1 2>/dev/null | head -c 4', reading)).toBe('raw\n');
    await expect(vm.run('echo x >/dev/xvda', reading)).rejects.toThrow(/not permitted/);
    expect((await readFile(raw.image)).toString('latin1', 1536, 1540)).toBe('raw\n');

    expect(await vm.agent.call('measureVolume', { serial: 'v' })).toMatchObject({ isReadOnly: false });
    await vm.run('echo test | tee /sys/fs/ext4/*/trigger_fs_error', { isPrivileged: true });
    expect(await vm.agent.call('measureVolume', { serial: 'v' })).toMatchObject({ isReadOnly: true });
    await expect(vm.run('echo x >/data/new/x', mount(''))).rejects.toThrow(/output error|Read-only file system/);
    await vm.shutdown();
  });
});
