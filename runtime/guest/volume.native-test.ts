import { O, sys } from '../system/native/sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import { readText, writeText } from './files.ts';
import { DISK_BYTES, formatRequest, run, storage, volumesOf, withDisk } from './testing.ts';

nativeTest('volume: a blank disk is formatted once, mounted, and let go whole', (directory) =>
  withDisk(directory, async ({ device }) => {
    const volumes = volumesOf({ v: device });
    await volumes.checkBlank('v');
    const [uuid, again] = await Promise.all([volumes.format(formatRequest()), volumes.format(formatRequest())]);
    expectEqual(again, uuid);
    const found = await run('blkid', '-p', '-o', 'value', '-s', 'UUID', device);
    expectEqual(found.trim(), uuid);

    const mountPoint = `${directory}/mounted/here`;
    const { capacityBytes, usedBytes, availableBytes, isReadOnly } = await volumes.mount(storage(mountPoint));
    expect(capacityBytes > 50 << 20 && capacityBytes < DISK_BYTES, `capacity is ${capacityBytes}`);
    expect(
      usedBytes < 1 << 20 && availableBytes > 50 << 20 && !isReadOnly,
      `${usedBytes} used, ${availableBytes} left`,
    );
    writeText(`${mountPoint}/file`, 'data');
    expectEqual((await volumes.mount(storage(mountPoint))).capacityBytes, capacityBytes);
    const mounts = readText('/proc/self/mounts')?.split('\n') ?? [];
    const here = mounts.filter((line) => line.includes(mountPoint));
    expectEqual(here.length, 1);
    expect(/ rw,nodev,noatime/.test(here[0] ?? ''), here[0] ?? '');
    // What it has formatted, it does not format again, whatever it is asked.
    expectEqual(await volumes.format(formatRequest('ext4', true)), uuid);
    expectEqual(readText(`${mountPoint}/file`), 'data');

    volumes.unmountAll();
    expectEqual(readText(`${mountPoint}/file`), undefined);
    await run('e2fsck', '-fn', device);
  }),
);

nativeTest('volume: another agent mounts what is there, and does not format what it has mounted', (directory) =>
  withDisk(directory, async ({ device }) => {
    const volumes = volumesOf({ v: device });
    await volumes.format(formatRequest());
    const later = volumesOf({ v: device });
    await later.mount(storage(`${directory}/m`, { readOnly: true }));
    await expectThrows('EROFS', () => writeText(`${directory}/m/file`, 'data'));
    await expectThrows('precondition', () => later.format(formatRequest('ext4', true)));
    later.unmountAll();
  }),
);

nativeTest('volume: a foreign signature is a refusal and stays; resuming over it is allowed', (directory) =>
  withDisk(directory, async ({ device }) => {
    const volumes = volumesOf({ v: device });
    await run('mkswap', '--label', 'theirs', device);
    const before = await run('sha256sum', device);
    const refusal = await expectThrows('precondition', () => volumes.format(formatRequest()));
    expect(String(refusal).includes('swap labelled theirs'), String(refusal));
    await expectThrows('precondition', () => volumes.checkBlank('v'));
    expectEqual(await run('sha256sum', device), before);
    await volumes.format(formatRequest('ext4', true));
    await expectThrows('precondition', () => volumes.checkBlank('v'));
  }),
);

nativeTest('volume: a disk with data of no known kind at either end is not taken for a blank one', (directory) =>
  withDisk(directory, async ({ device }) => {
    const volumes = volumesOf({ v: device });
    await volumes.checkBlank('v');
    for (const offset of [5000, DISK_BYTES - 1]) {
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
  const volumes = volumesOf({ v: `${directory}/gone` });
  await expectThrows('ENOENT', () => volumes.checkBlank('v'));
  await expectThrows('ENOENT', () => volumes.format(formatRequest()));
});

nativeTest('volume: a disk that is still in use is named when it does not unmount', (directory) =>
  withDisk(directory, async ({ device }) => {
    const volumes = volumesOf({ v: device });
    await volumes.format(formatRequest());
    await volumes.mount(storage(`${directory}/m`));
    const fd = sys.open(`${directory}/m/file`, O.WRONLY | O.CREAT, 0o600);
    const fault = await expectThrows('io', () => volumes.unmountAll());
    expect(String(fault).includes('1 volumes'), String(fault));
    sys.close(fd);
    sys.umount(`${directory}/m`, 0);
  }),
);

nativeTest('volume: a file system that the guest does not know is a refusal', (directory) =>
  withDisk(directory, async ({ device }) => {
    const volumes = volumesOf({ v: device });
    await expectThrows('invalid', () => volumes.format(formatRequest('ntfs')));
    await expectThrows('invalid', () => volumes.mount(storage(`${directory}/m`, { fsType: 'ntfs' })));
  }),
);
