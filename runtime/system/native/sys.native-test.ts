import { AF, EAGAIN, LOCK, O, RESOLVE, S_IF, S_IFMT, SOCK, sys } from './sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from './testing.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

nativeTest('sys: files are written, read, cut and described', (directory) => {
  const path = `${directory}/a`;
  const fd = sys.open(path, O.RDWR | O.CREAT | O.EXCL, 0o640);
  expectEqual(sys.write(fd, bytes('0123456789'), 2, 5), 5);
  expectEqual(sys.lseek(fd, 1, 0), 1);
  const buffer = new Uint8Array(8);
  expectEqual(sys.read(fd, buffer, 3), 4);
  expectEqual([...buffer], [0, 0, 0, 0x33, 0x34, 0x35, 0x36, 0]);
  expectEqual(sys.read(fd, buffer), 0);
  sys.ftruncate(fd, 2);
  sys.fsync(fd);
  expectEqual(text(sys.readFile(path)), '23');
  const status = sys.fstat(fd);
  expectEqual([status.size, status.mode, status.ino], [2, S_IF.REG | 0o640, sys.stat(path)?.ino]);
  sys.close(fd);
});

nativeTest('sys: files of /proc, whose size is 0, and large files are read whole', (directory) => {
  expect(text(sys.readFile('/proc/self/stat')).startsWith(`${sys.getpid()} (`), '/proc is read');
  const data = sys.getrandom(300_000);
  const fd = sys.open(`${directory}/a`, O.WRONLY | O.CREAT);
  expectEqual(sys.write(fd, data), data.length);
  sys.close(fd);
  expectEqual([...sys.readFile(`${directory}/a`)].join(), [...data].join());
});

nativeTest('sys: a datagram is received whole, whatever its size', (directory) => {
  const address = new Uint8Array([AF.UNIX, 0, ...bytes(`${directory}/s`), 0]);
  const receiver = sys.socket(AF.UNIX, SOCK.DGRAM | SOCK.NONBLOCK, 0);
  const sender = sys.socket(AF.UNIX, SOCK.DGRAM, 0);
  sys.bind(receiver, address);
  sys.connect(sender, address);
  const sent = ['short', '', 'x'.repeat(100_000)];
  for (const datagram of sent) sys.write(sender, bytes(datagram));
  for (const datagram of sent) {
    const received = sys.receive(receiver);
    expect(received !== EAGAIN && text(received) === datagram, `${datagram.length} bytes arrive`);
  }
  expectEqual(sys.receive(receiver), EAGAIN);
  sys.close(sender);
  sys.close(receiver);
});

nativeTest('sys: names are made, moved, listed and removed', async (directory) => {
  sys.mkdir(`${directory}/d`, 0o700);
  sys.symlink('d/x', `${directory}/l`);
  expectEqual(sys.readlink(`${directory}/l`), 'd/x');
  expectEqual(sys.stat(`${directory}/l`), null);
  expectEqual((sys.lstat(`${directory}/l`)?.mode ?? 0) & S_IFMT, 0o120000);
  sys.rename(`${directory}/l`, `${directory}/m`);
  expectEqual(sys.readdir(directory).sort(), ['d', 'm']);
  sys.unlink(`${directory}/m`);
  sys.rmdir(`${directory}/d`);
  expectEqual(sys.readdir(directory), []);
  await expectThrows('ENOENT', () => sys.readdir(`${directory}/d`));
  await expectThrows('EISDIR', () => sys.readFile(directory));
});

nativeTest('sys: a path is opened beneath a directory, or not at all', async (directory) => {
  sys.mkdir(`${directory}/d`, 0o700);
  for (const [name, target] of [
    ['out', '..'],
    ['root', '/'],
    ['in', 'd'],
  ] as const) {
    sys.symlink(target, `${directory}/${name}`);
  }
  const fd = sys.open(directory, O.PATH | O.DIRECTORY);
  const openBeneath = (path: string): number => sys.openat2(fd, path, O.PATH, RESOLVE.BENEATH);
  const inside = openBeneath('in');
  expectEqual(sys.fstat(inside).ino, sys.stat(`${directory}/d`)?.ino);
  expect(/^flags:\s+012000000$/m.test(text(sys.readFile(`/proc/self/fdinfo/${inside}`))), 'it is O_PATH and O_CLOEXEC');
  for (const path of ['out', 'root', '../x', '/etc', 'd/../..']) await expectThrows('EXDEV', () => openBeneath(path));
  await expectThrows('ENOENT', () => openBeneath('d/none'));
  const proc = sys.open('/proc', O.PATH | O.DIRECTORY);
  await expectThrows('ELOOP', () => sys.openat2(proc, 'self/root', O.PATH, RESOLVE.NO_MAGICLINKS));
  for (const each of [fd, inside, proc]) sys.close(each);
});

nativeTest('sys: a tree is given to a group, whatever its names', async (directory) => {
  const tree = `${directory}/tree`;
  // A name that is no UTF-8, one that is no path any more when joined to its parents, and a link to what must not change.
  const script = [
    'set -e; umask 022; mkdir "$1" "$1/d" "$2"; cd "$1"; : >"$(printf "b\\351")"; : >d/set; chmod 6711 d/set; ln -s "$2" link',
    'name=$(printf %0250d 0); cd -P d; for i in $(seq 20); do mkdir $name; cd -P ./$name; done; : >leaf',
  ].join('; ');
  const pid = sys.spawn({ argv: ['/bin/sh', '-c', script, 'sh', tree, `${directory}/out`], fds: [-1, 1, 2] });
  expectEqual(sys.waitpid(pid, 0)?.code, 0);
  const describe = (path: string) => {
    const { mode, gid } = sys.lstat(path) ?? { mode: 0, gid: 0 };
    return [(mode & 0o7777).toString(8), gid];
  };
  sys.giveToGroup(tree, 77);
  expectEqual(describe(tree), ['2775', 77]);
  expectEqual(describe(`${tree}/d`), ['2775', 77]);
  expectEqual(describe(`${tree}/d/set`), ['6771', 77]);
  expectEqual(describe(`${tree}/link`)[1], 77);
  expectEqual(describe(`${directory}/out`), ['755', 0]);
  const find = ['/usr/bin/find', tree, '!', '-group', '77', '-o', '!', '-type', 'l', '!', '-perm', '-0660'];
  const [reader, writer] = sys.pipe();
  const search = sys.spawn({ argv: find, fds: [-1, writer, 2] });
  sys.close(writer);
  expectEqual(sys.read(reader, new Uint8Array(100)), 0);
  expectEqual(sys.waitpid(search, 0)?.code, 0);
  sys.close(reader);
  sys.spawn({ argv: ['/bin/rm', '-rf', tree], fds: [-1, 1, 2] });
  sys.waitpid(-1, 0);
  await expectThrows('ENOENT', () => sys.giveToGroup(tree, 77));
});

nativeTest('sys: owners, modes, devices and file systems', (directory) => {
  const path = `${directory}/null`;
  sys.mknod(path, S_IF.CHR | 0o600, 1, 3);
  sys.chown(path, 5, 6);
  sys.chmod(path, 0o666);
  const status = sys.stat(path);
  expectEqual([status?.uid, status?.gid, status?.mode, status?.rdev], [5, 6, S_IF.CHR | 0o666, 0x103]);
  sys.mount('tmpfs', directory, 'tmpfs', 0, 'size=1m,nr_inodes=16');
  const { blockSize, blocks, blocksFree, files, isReadOnly } = sys.statvfs(directory);
  expectEqual([blockSize * blocks, blocksFree, files, isReadOnly], [1 << 20, blocks, 16, false]);
  sys.mount(null, directory, null, 32 | 1, null);
  expectEqual(sys.statvfs(directory).isReadOnly, true);
  sys.umount(directory, 0);
  expectEqual(sys.readdir(directory), ['null']);
});

nativeTest('sys: an error has errno name, number, call and path', async (directory) => {
  const error = await expectThrows('ENOENT', () => sys.open(`${directory}/none`, O.RDONLY));
  const { errno, syscall, message } = error as { errno: number; syscall: string; message: string };
  expectEqual([errno, syscall], [2, 'open']);
  expectEqual(message, `ENOENT: open ${directory}/none: No such file or directory`);
  expectEqual(sys.strerror(17), { code: 'EEXIST', message: 'File exists' });
});

nativeTest('sys: what is no proper argument is refused before any call', async () => {
  const refused = async (body: () => unknown): Promise<void> => {
    const error = await expectThrows('', () => {
      try {
        body();
      } catch (thrown) {
        throw Object.assign(new Error(String(thrown)), { code: '' });
      }
    });
    expect(/Error: (an argument|offset and length)/.test(String(error)), `${error}`);
  };
  const three = new Uint8Array(3);
  for (const [offset, length] of [[4], [-1], [0, 4], [2, 2], [1, -1], [2 ** 40, 1]]) {
    await refused(() => sys.read(0, three, offset, length));
  }
  await refused(() => sys.open('a\0b', O.RDONLY));
  await refused(() => sys.close('0' as unknown as number));
  await refused(() => sys.close(2 ** 33));
  await refused(() => sys.write(1, new Uint16Array(3) as unknown as Uint8Array));
  await expectThrows('EBADF', () => sys.close(-1));
});

nativeTest('sys: ioctl knows its requests and their sizes', async () => {
  const TUNSETIFF = 0x400454ca;
  const fd = sys.open('/dev/null', O.RDWR);
  await expectThrows('EINVAL', () => sys.ioctl(fd, 0x5401, new Uint8Array(64)));
  await expectThrows('EINVAL', () => sys.ioctl(fd, TUNSETIFF, new Uint8Array(39)));
  await expectThrows('EINVAL', () => sys.ioctl(fd, TUNSETIFF, 0));
  await expectThrows('ENOTTY', () => sys.ioctl(fd, TUNSETIFF, new Uint8Array(40)));
  sys.close(fd);
});

nativeTest('sys: a table of extents has room for as many as it says', async (directory) => {
  const FS_IOC_FIEMAP = 0xc020660b;
  const table = (extentCount: number, bytes: number): Uint8Array => {
    const argument = new Uint8Array(bytes);
    new DataView(argument.buffer).setUint32(24, extentCount, true);
    return argument;
  };
  const fd = sys.open(`${directory}/file`, O.RDWR | O.CREAT);
  await expectThrows('EINVAL', () => sys.ioctl(fd, FS_IOC_FIEMAP, table(0, 31)));
  await expectThrows('EINVAL', () => sys.ioctl(fd, FS_IOC_FIEMAP, table(1, 32)));
  await expectThrows('EINVAL', () => sys.ioctl(fd, FS_IOC_FIEMAP, table(2, 32 + 56)));
  await expectThrows('EINVAL', () => sys.ioctl(fd, FS_IOC_FIEMAP, table(2 ** 32 - 1, 32 + 56)));
  sys.close(fd);
});

nativeTest('sys: fallocate allocates, and extends the file', (directory) => {
  const fd = sys.open(`${directory}/file`, O.RDWR | O.CREAT);
  sys.fallocate(fd, 0, 0, 2 ** 20);
  const { size, blocks } = sys.fstat(fd);
  expectEqual([size, blocks >= 2048], [2 ** 20, true]);
  sys.close(fd);
});

nativeTest('sys: a filter of half an instruction, or of more than the kernel takes, is refused', async () => {
  for (const size of [4, 12, 8 * 4097]) await expectThrows('EINVAL', () => sys.seccomp(new Uint8Array(size)));
});

nativeTest('sys: an empty pipe and a taken lock answer EAGAIN', (directory) => {
  const [reader, writer] = sys.pipe();
  sys.setNonBlocking(reader);
  expectEqual(sys.read(reader, new Uint8Array(1)), EAGAIN);
  sys.close(writer);
  expectEqual(sys.read(reader, new Uint8Array(1)), 0);
  sys.close(reader);
  const first = sys.open(`${directory}/lock`, O.RDWR | O.CREAT);
  const second = sys.open(`${directory}/lock`, O.RDWR);
  expectEqual(sys.flock(first, LOCK.EX | LOCK.NB), 0);
  expectEqual(sys.flock(second, LOCK.EX | LOCK.NB), EAGAIN);
  sys.close(first);
  expectEqual(sys.flock(second, LOCK.EX | LOCK.NB), 0);
  sys.close(second);
});

nativeTest('sys: dup2 replaces a descriptor, and leaves one that is in place', (directory) => {
  const from = sys.open(`${directory}/a`, O.RDWR | O.CREAT);
  const to = sys.open('/dev/null', O.RDWR);
  sys.dup2(from, to);
  sys.dup2(from, from);
  expectEqual(sys.fstat(to).ino, sys.fstat(from).ino);
  sys.close(from);
  sys.close(to);
});

nativeTest('sys: text is UTF-8, both ways and for names', async (directory) => {
  const word = 'bérth ⚓ 🚢';
  expectEqual([...sys.utf8Encode('é')], [0xc3, 0xa9]);
  expectEqual(text(bytes(word)), word);
  expectEqual([...bytes('\ud800x')], [0xef, 0xbf, 0xbd, 0x78]);
  expectEqual(text(new Uint8Array([0x61, 0xff, 0x62])), 'a\ufffdb');
  sys.mkdir(`${directory}/${word}`, 0o700);
  expectEqual(sys.readdir(directory), [word]);
  const strict = new TextDecoder('utf-8', { fatal: true });
  expectEqual(strict.decode(bytes('\ufffd')), '\ufffd');
  for (const wrong of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
    await expectThrows('not UTF-8', () => {
      try {
        strict.decode(new Uint8Array(wrong));
      } catch (error) {
        throw Object.assign(new Error(), { code: (error as Error).message });
      }
    });
  }
});

nativeTest('sys: the program knows itself', () => {
  expectEqual(sys.versions().engine, 'quickjs 2025-04-26');
  expect(/^(musl|glibc) \d/.test(sys.versions().libc), 'the C library has a version');
  expect(Object.keys(sys.env()).includes('PATH'), 'the environment has a PATH');
  expectEqual(sys.getrandom(5).length, 5);
  sys.gc();
});
