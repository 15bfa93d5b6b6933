import { acquireLease } from './lease.ts';
import { spawnChild } from './process.ts';
import { O, SIG, sys } from './sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from './testing.ts';

const text = (path: string): string => new TextDecoder().decode(sys.readFile(path));

function makeLease(directory: string): string {
  const path = `${directory}/lease`;
  sys.close(sys.open(path, O.WRONLY | O.CREAT | O.EXCL));
  return path;
}

function take(path: string, owner: string): number {
  const lease = acquireLease(path, owner);
  expect('fd' in lease, `${owner} gets the lease`);
  return lease.fd;
}

nativeTest('lease: has one owner, who is named, and whose text is replaced in place', (directory) => {
  const path = makeLease(directory);
  const inode = sys.stat(path)?.ino;
  const first = take(path, 'the first owner, with a long name');
  expectEqual(acquireLease(path, 'second'), { heldBy: 'the first owner, with a long name' });
  expectEqual(text(path), 'the first owner, with a long name');
  sys.close(first);
  const second = take(path, 'second');
  expectEqual(text(path), 'second');
  sys.close(second);
  sys.close(take(path, 'a third one'));
  expectEqual([text(path), sys.stat(path)?.ino], ['a third one', inode]);
});

nativeTest('lease: whoever inherits it can write nothing into the pool by it', async (directory) => {
  const fd = take(makeLease(directory), 'parent');
  await expectThrows('EBADF', () => sys.write(fd, new Uint8Array(1)));
  await expectThrows('EINVAL', () => sys.ftruncate(fd, 1 << 30));
  await expectThrows('EBADF', () => sys.fallocate(fd, 0, 0, 1 << 30));
  sys.close(fd);
});

nativeTest('lease: a volume without a lease file is no volume', async (directory) => {
  await expectThrows('not-found', () => acquireLease(`${directory}/lease`, 'me'));
  expectEqual(sys.readdir(directory), []);
});

nativeTest('lease: lives on in a child that inherited it, and ends with the child', async (directory) => {
  const path = makeLease(directory);
  const fd = take(path, 'parent');
  const child = spawnChild({ argv: ['sleep', '60'], fds: [-1, -1, -1, fd] });
  sys.close(fd);
  expectEqual(acquireLease(path, 'other'), { heldBy: 'parent' });
  sys.kill(child.pid, SIG.KILL);
  await child.exited;
  sys.close(take(path, 'other'));
});

nativeTest('lease: is not inherited by a child that was not given it', async (directory) => {
  const path = makeLease(directory);
  const fd = take(path, 'parent');
  const child = spawnChild({ argv: ['sleep', '60'], fds: [-1, -1, -1] });
  sys.close(fd);
  sys.close(take(path, 'other'));
  sys.kill(child.pid, SIG.KILL);
  await child.exited;
});
