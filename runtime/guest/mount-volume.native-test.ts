import { sys } from '../system/native/sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import { readText, writeText } from './files.ts';
import { DISK_BYTES, formatRequest, resizeImage, run, storage, volumesOf, withDisk } from './testing.ts';

/** Changes an ext4 that is not mounted. */
const debugfs = (device: string, request: string): Promise<string> => run('debugfs', '-w', '-R', request, device);

nativeTest('mount: a disk that grows is waited for, and a file system that is only read is not grown', (directory) =>
  withDisk(directory, async ({ image, device }) => {
    const volumes = volumesOf({ v: device });
    await volumes.format(formatRequest());
    const growing = volumes.grow('v', 2 * DISK_BYTES);
    resizeImage(image, 2 * DISK_BYTES);
    await run('losetup', '--set-capacity', device);
    expectEqual(await growing, { deviceBytes: 2 * DISK_BYTES, capacityBytes: 0 });
    const { capacityBytes, isReadOnly } = await volumes.mount(storage(`${directory}/m`, { readOnly: true }));
    expect(isReadOnly && capacityBytes < DISK_BYTES, `it has ${capacityBytes} bytes`);
    expectEqual(await volumes.grow('v', DISK_BYTES), { deviceBytes: 2 * DISK_BYTES, capacityBytes });
    volumes.unmountAll();
  }),
);

nativeTest('mount: what is safe to repair is repaired, what is not is a refusal that names the way out', (directory) =>
  withDisk(directory, async ({ device }) => {
    await volumesOf({ v: device }).format(formatRequest());
    const mountPoint = `${directory}/m`;
    // Errors are known of: e2fsck looks at everything. The free blocks of a superblock are safe to count again.
    await debugfs(device, 'ssv free_blocks_count 7');
    await debugfs(device, 'ssv state 2');
    const repaired = volumesOf({ v: device });
    await repaired.mount(storage(mountPoint));
    writeText(`${mountPoint}/file`, 'data');
    repaired.unmountAll();
    await run('e2fsck', '-fn', device);

    // No root any more: what hung from it is found again, under other names, if a person wants that.
    await debugfs(device, 'clri <2>');
    await debugfs(device, 'ssv state 2');
    const volumes = volumesOf({ v: device });
    const fault = await expectThrows('precondition', () => volumes.mount(storage(mountPoint)));
    expect(/damaged beyond what is safe.*berth volume fsck/s.test(String(fault)), String(fault));
    expectEqual(readText('/proc/self/mounts')?.includes(mountPoint), false);

    expectEqual((await volumes.check('v', 'ext4', 'none')).isClean, false);
    const [{ isClean, words }, same] = await Promise.all([
      volumes.check('v', 'ext4', 'full'),
      volumes.check('v', 'ext4', 'full'),
    ]);
    expectEqual(same, { isClean, words });
    expect(isClean && words.includes('FILE SYSTEM WAS MODIFIED'), words);
    expectEqual((await volumes.check('v', 'ext4', 'none')).isClean, true);
    await volumes.mount(storage(mountPoint));
    await run('grep', '--recursive', '--line-regexp', 'data', `${mountPoint}/lost+found`);
    await expectThrows('precondition', () => volumes.check('v', 'ext4', 'none'));
    volumes.unmountAll();
  }),
);

nativeTest(
  'mount: a file system that met an error stops being written, says so, and is whole again after a mount',
  (directory) =>
    withDisk(directory, async ({ device }) => {
      const mountPoint = `${directory}/m`;
      const volumes = volumesOf({ v: device });
      await volumes.format(formatRequest());
      await volumes.mount(storage(mountPoint));
      writeText(`${mountPoint}/file`, 'data');
      await run('sync', '--file-system', mountPoint);
      writeText(`/sys/fs/ext4/${device.slice('/dev/'.length)}/trigger_fs_error`, 'of a test');
      expectEqual(volumes.measure('v').isReadOnly, true);
      await expectThrows('EROFS', () => writeText(`${mountPoint}/file`, 'more'));
      volumes.unmountAll();
      const later = volumesOf({ v: device });
      expectEqual((await later.mount(storage(mountPoint))).isReadOnly, false);
      expectEqual(readText(`${mountPoint}/file`), 'data');
      later.unmountAll();
    }),
);

nativeTest('mount: a disk without the file system that its record promises is refused untouched', (directory) =>
  withDisk(directory, async ({ device }) => {
    const before = await run('sha256sum', device);
    for (const readOnly of [false, true]) {
      const volumes = volumesOf({ v: device });
      await expectThrows('precondition', () => volumes.mount(storage(`${directory}/m`, { readOnly })));
      await expectThrows('precondition', () => volumes.measure('v'));
    }
    expectEqual(await run('sha256sum', device), before);
  }),
);

nativeTest('mount: a volume is handed to its group once, or always, and never when it is read only', (directory) =>
  withDisk(directory, async ({ device }) => {
    const mountPoint = `${directory}/m`;
    const volumes = volumesOf({ v: device });
    const mount = async (policy: string, readOnly = false): Promise<void> => {
      volumes.unmountAll();
      await volumes.mount({ ...storage(mountPoint, { readOnly }), ownership: { gid: 4711, policy } });
    };
    const describe = (path: string): unknown[] => {
      const { mode, gid } = sys.lstat(path) ?? { mode: 0, gid: 0 };
      return [(mode & 0o7777).toString(8), gid];
    };
    await volumes.format(formatRequest());
    await volumes.mount(storage(mountPoint));
    sys.mkdir(`${mountPoint}/d`, 0o700);
    writeText(`${mountPoint}/d/file`, 'data');

    await mount('OnRootMismatch', true);
    expectEqual(describe(`${mountPoint}/d`), ['700', 0]);
    await mount('OnRootMismatch');
    expectEqual(describe(mountPoint), ['2775', 4711]);
    expectEqual(describe(`${mountPoint}/d`), ['2770', 4711]);
    expectEqual(describe(`${mountPoint}/d/file`), ['664', 4711]);

    sys.chown(`${mountPoint}/d/file`, 0, 0);
    await mount('OnRootMismatch');
    expectEqual(describe(`${mountPoint}/d/file`), ['664', 0]);
    await mount('Always');
    expectEqual(describe(`${mountPoint}/d/file`), ['664', 4711]);
    await expectThrows('invalid', () => mount('Sometimes'));
    volumes.unmountAll();
  }),
);

nativeTest('mount: tells the disk what is free, and nothing while it is frozen', (directory) =>
  withDisk(directory, async ({ image, device }) => {
    const volumes = volumesOf({ v: device });
    await volumes.format(formatRequest());
    const mountPoint = `${directory}/m`;
    await volumes.mount(storage(mountPoint));
    const allocated = (): number => (sys.stat(image)?.blocks ?? 0) * 512;
    await run('dd', 'if=/dev/urandom', `of=${mountPoint}/file`, 'bs=1M', 'count=20', 'conv=fsync');
    expect(allocated() > 20 << 20, 'the file is on the disk');
    sys.unlink(`${mountPoint}/file`);
    await volumes.freeze(['v'], 20_000);
    await expectThrows('busy', () => volumes.trim('v'));
    await expectThrows('busy', () => volumes.grow('v', DISK_BYTES));
    expectEqual(volumes.thaw(['v']), true);
    expect((await volumes.trim('v')) > 20 << 20, 'the file is trimmed');
    expect(allocated() < 10 << 20, `${allocated()} bytes are still allocated`);
    volumes.unmountAll();
  }),
);
