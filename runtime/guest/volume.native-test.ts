import { silentLog } from '../system/log.ts';
import { O, sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import { readText, writeText } from './files.ts';
import { requireTool } from './tool.ts';
import { Volumes } from './volume.ts';

const system = createNativeSystem();
const run = (...command: string[]) => requireTool(system, command, 20_000);

/** A blank disk of 64 MiB, gone with the test. */
async function withDisk(directory: string, body: (device: string, volumes: Volumes) => Promise<void>): Promise<void> {
  const image = `${directory}/disk`;
  const fd = sys.open(image, O.WRONLY | O.CREAT, 0o600);
  sys.ftruncate(fd, 64 << 20);
  sys.close(fd);
  const device = new TextDecoder().decode((await run('losetup', '--find', '--show', image)).stdout).trim();
  try {
    await body(device, new Volumes(system, silentLog, async () => device));
  } finally {
    await run('losetup', '--detach', device);
  }
}

const request = (fsType: string, resume = false) => ({ serial: 'v', fsType, resume });
const storage = (mountPoint: string, readOnly = false) => ({
  ...{ serial: 'v', fsType: 'ext4', mountPoint, readOnly, ownership: undefined },
  options: ['noatime,nodev'],
});

nativeTest('volume: a blank disk is formatted once, mounted, and let go whole', (directory) =>
  withDisk(directory, async (device, volumes) => {
    await volumes.checkBlank('v');
    const [uuid, again] = await Promise.all([volumes.format(request('ext4')), volumes.format(request('ext4'))]);
    expectEqual(again, uuid);
    const found = new TextDecoder().decode((await run('blkid', '-p', '-o', 'value', '-s', 'UUID', device)).stdout);
    expectEqual(found.trim(), uuid);

    const mountPoint = `${directory}/mounted/here`;
    const { capacityBytes } = await volumes.mount(storage(mountPoint));
    expect(capacityBytes > 50 << 20 && capacityBytes < 64 << 20, `capacity is ${capacityBytes}`);
    writeText(`${mountPoint}/file`, 'data');
    expectEqual(await volumes.mount(storage(mountPoint)), { capacityBytes });
    const mounts = readText('/proc/self/mounts')?.split('\n') ?? [];
    const here = mounts.filter((line) => line.includes(mountPoint));
    expectEqual(here.length, 1);
    expect(/ rw,nodev,noatime/.test(here[0] ?? ''), here[0] ?? '');
    // What it has formatted, it does not format again, whatever it is asked.
    expectEqual(await volumes.format(request('ext4', true)), uuid);
    expectEqual(readText(`${mountPoint}/file`), 'data');

    volumes.unmountAll();
    expectEqual(readText(`${mountPoint}/file`), undefined);
    await run('e2fsck', '-fn', device);
  }),
);

nativeTest('volume: another agent mounts what is there, and does not format what it has mounted', (directory) =>
  withDisk(directory, async (device, volumes) => {
    await volumes.format(request('ext4'));
    const later = new Volumes(system, silentLog, async () => device);
    await later.mount(storage(`${directory}/m`, true));
    await expectThrows('EROFS', () => writeText(`${directory}/m/file`, 'data'));
    await expectThrows('precondition', () => later.format(request('ext4', true)));
    later.unmountAll();
  }),
);

nativeTest('volume: a foreign signature is a refusal and stays; resuming over it is allowed', (directory) =>
  withDisk(directory, async (device, volumes) => {
    await run('mkswap', '--label', 'theirs', device);
    const before = (await run('sha256sum', device)).stdout;
    const refusal = await expectThrows('precondition', () => volumes.format(request('ext4')));
    expect(String(refusal).includes('swap labelled theirs'), String(refusal));
    await expectThrows('precondition', () => volumes.checkBlank('v'));
    expectEqual((await run('sha256sum', device)).stdout, before);
    await volumes.format(request('ext4', true));
    await expectThrows('precondition', () => volumes.checkBlank('v'));
  }),
);

nativeTest('volume: a disk with data of no known kind at either end is not taken for a blank one', (directory) =>
  withDisk(directory, async (device, volumes) => {
    await volumes.checkBlank('v');
    for (const offset of [5000, (64 << 20) - 1]) {
      const fd = sys.open(device, O.WRONLY);
      sys.lseek(fd, offset, 0);
      sys.write(fd, Uint8Array.of(1));
      const fault = await expectThrows('precondition', () => volumes.checkBlank('v'));
      expect(String(fault).includes('does not know'), String(fault));
      sys.lseek(fd, offset, 0);
      sys.write(fd, Uint8Array.of(0));
      sys.close(fd);
    }
    await volumes.checkBlank('v');
  }),
);

nativeTest('volume: a disk that cannot be read is not taken for a blank one', async (directory) => {
  const volumes = new Volumes(system, silentLog, async () => `${directory}/gone`);
  await expectThrows('ENOENT', () => volumes.checkBlank('v'));
  await expectThrows('ENOENT', () => volumes.format(request('ext4')));
});

nativeTest('volume: a disk that is still in use is named when it does not unmount', (directory) =>
  withDisk(directory, async (_device, volumes) => {
    await volumes.format(request('ext4'));
    await volumes.mount(storage(`${directory}/m`));
    const fd = sys.open(`${directory}/m/file`, O.WRONLY | O.CREAT, 0o600);
    const fault = await expectThrows('io', () => volumes.unmountAll());
    expect(String(fault).includes('1 volumes'), String(fault));
    sys.close(fd);
    sys.umount(`${directory}/m`, 0);
  }),
);

nativeTest('volume: a file system that the guest does not know is a refusal', (directory) =>
  withDisk(directory, async (_device, volumes) => {
    await expectThrows('invalid', () => volumes.format(request('ntfs')));
    await expectThrows('EINVAL', () => volumes.mount(storage(`${directory}/m`)));
  }),
);
