import { guestBindPath } from '../../proto/guest-layout.ts';
import { silentLog } from '../system/log.ts';
import { sys } from '../system/native/sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import { withUndo } from '../system/undo.ts';
import { ensureNoBinds, mountBinds } from './binds.ts';
import { readText, writeText } from './files.ts';
import { formatRequest, storage, volumesOf, withDisk } from './testing.ts';
import type { Volumes } from './volume.ts';

const CONTAINER = 'native-test';
const shown = (name = 'b'): string => guestBindPath(CONTAINER, name);

async function withVolume(directory: string, body: (root: string, volumes: Volumes) => Promise<void>): Promise<void> {
  await withDisk(directory, async ({ device }) => {
    const volumes = volumesOf({ v: device });
    await volumes.format(formatRequest());
    await volumes.mount(storage(`${directory}/m`));
    try {
      await body(`${directory}/m`, volumes);
    } finally {
      ensureNoBinds(CONTAINER);
      volumes.unmountAll();
    }
  });
}

/** A container's binds; undone if they fail. */
const bind = (volumes: Volumes, ...subPaths: string[]): Promise<void> =>
  withUndo(silentLog, async (undo) => {
    const binds = subPaths.map((subPath, index) => ({ name: 'bcd'.charAt(index), serial: 'v', subPath }));
    mountBinds(CONTAINER, binds, volumes, undo);
  });

nativeTest('binds: the whole volume, a directory and a file of it are shown, and gone afterwards', (directory) =>
  withVolume(directory, async (root, volumes) => {
    sys.mkdir(`${root}/d`, 0o700);
    writeText(`${root}/d/file`, 'data');
    sys.symlink('d', `${root}/inside`);
    await bind(volumes, '', 'inside', './d//file');
    expectEqual(readText(`${shown('b')}/d/file`), 'data');
    expectEqual(readText(`${shown('c')}/file`), 'data');
    expectEqual(readText(shown('d')), 'data');
    writeText(shown('d'), 'more');
    expectEqual(readText(`${root}/d/file`), 'more');
    ensureNoBinds(CONTAINER);
    ensureNoBinds(CONTAINER);
    expectEqual(sys.stat(guestBindPath(CONTAINER, '')), null);
    expectEqual(readText(`${root}/d/file`), 'more');
  }),
);

nativeTest('binds: missing directories are made like the root of the volume', (directory) =>
  withVolume(directory, async (root, volumes) => {
    sys.chown(root, 5, 4711);
    sys.chmod(root, 0o2773);
    await bind(volumes, 'a/b c/ü');
    for (const path of ['a', 'a/b c', 'a/b c/ü']) {
      const stat = sys.stat(`${root}/${path}`);
      expectEqual([(stat?.mode ?? 0) & 0o7777, stat?.uid, stat?.gid], [0o2773, 5, 4711]);
    }
    writeText(`${shown()}/file`, 'data');
    expectEqual(readText(`${root}/a/b c/ü/file`), 'data');
  }),
);

nativeTest('binds: nothing leads out of the volume, and nothing is made on the way', (directory) =>
  withVolume(directory, async (root, volumes) => {
    sys.symlink('/etc', `${root}/absolute`);
    sys.symlink('../..', `${root}/up`);
    sys.symlink('nowhere', `${root}/dangling`);
    sys.symlink('loop', `${root}/loop`);
    writeText(`${root}/file`, 'data');
    const before = sys.readdir(root).sort();
    const cases = [
      ['absolute', 'leads out'],
      ['absolute/passwd', 'leads out'],
      ['up/new', 'leads out'],
      ['dangling', 'leads nowhere'],
      ['dangling/new', 'leads nowhere'],
      ['loop', 'without end'],
      ['file/new', 'goes through a file'],
    ] as const;
    for (const [subPath, reason] of cases) {
      const fault = await expectThrows('precondition', () => bind(volumes, '', subPath));
      expect(String(fault).includes(reason), `${subPath}: ${fault}`);
      expectEqual(sys.stat(guestBindPath(CONTAINER, '')), null);
    }
    for (const subPath of ['/etc', '..', 'd/../..']) await expectThrows('invalid', () => bind(volumes, subPath));
    expectEqual(sys.readdir(root).sort(), before);
    expectEqual(sys.stat('/etc/new'), null);
  }),
);

nativeTest('binds: a read-only or frozen volume gets no new directory', (directory) =>
  withVolume(directory, async (root, volumes) => {
    await volumes.freeze(['v'], 20_000);
    await expectThrows('busy', () => bind(volumes, 'new'));
    await bind(volumes, '', 'lost+found');
    ensureNoBinds(CONTAINER);
    volumes.thaw(['v']);
    volumes.unmountAll();
    await volumes.mount(storage(root, { readOnly: true }));
    const fault = await expectThrows('precondition', () => bind(volumes, 'new'));
    expect(String(fault).includes('read-only'), String(fault));
    await bind(volumes, 'lost+found');
    await expectThrows('invalid', async () =>
      withUndo(silentLog, async (undo) =>
        mountBinds(CONTAINER, [{ name: '../x', serial: 'v', subPath: '' }], volumes, undo),
      ),
    );
  }),
);
