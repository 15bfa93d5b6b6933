import { locateFile } from './located-file.ts';
import { S_IF, sys } from './sys.ts';
import { expectEqual, nativeTest } from './testing.ts';

const MS_BIND = 0x1000;

nativeTest('a path is located through symbolic links, and nothing where nothing is', async (directory) => {
  sys.mkdir(`${directory}/real`, 0o755);
  sys.symlink('real', `${directory}/link`);
  expectEqual(locateFile(`${directory}/link`)?.canonicalPath, `${directory}/real`);
  expectEqual(locateFile(`${directory}/real/none`), undefined);
});

nativeTest('a block device is located with its number, unopened', async (directory) => {
  const path = `${directory}/disk`;
  sys.mknod(path, S_IF.BLK | 0o600, 259, 70_000);
  expectEqual(locateFile(path), { canonicalPath: path, device: { major: 259, minor: 70_000 } });
});

nativeTest('a mount of what was removed is located at its own name', async (directory) => {
  const [source, target] = [`${directory}/source`, `${directory}/target`];
  for (const path of [source, target]) sys.mkdir(path, 0o755);
  sys.mount(source, target, null, MS_BIND, null);
  sys.rmdir(source);
  expectEqual(locateFile(target)?.canonicalPath, target);
  sys.umount(target, 0);
  sys.mkdir(`${directory}/x (deleted)`, 0o755);
  expectEqual(locateFile(`${directory}/x (deleted)`)?.canonicalPath, `${directory}/x (deleted)`);
});
