import { Fault } from '../../proto/fault.ts';
import { spawnChild } from '../system/native/process.ts';
import { sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import type { ByteStream } from '../system/port.ts';
import { createNativeHost } from './native-host.ts';

const host = createNativeHost();

async function makeFifo(path: string): Promise<string> {
  const { exitCode } = await createNativeSystem().run({ file: 'mkfifo', args: [path] });
  expectEqual(exitCode, 0);
  return path;
}

const shell = (script: string, ...args: string[]) =>
  spawnChild({ argv: ['sh', '-c', script, 'sh', ...args], fds: [-1, -1, 2] });

async function readAll(stream: ByteStream): Promise<string> {
  let text = '';
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) text += sys.utf8Decode(chunk);
  return text;
}

nativeTest('output to a FIFO waits for no reader, and is there for one that comes late', async (directory) => {
  const path = await makeFifo(`${directory}/out`);
  const stream = host.openFifo(path, 'write');
  await stream.write(sys.utf8Encode('early'));
  const reader = shell('head -c 5 "$1" > "$2"', path, `${directory}/got`);
  await reader.exited;
  expectEqual(sys.utf8Decode(sys.readFile(`${directory}/got`)), 'early');
  // Whoever read is gone: no SIGPIPE, no error.
  await stream.write(sys.utf8Encode('later'));
  stream.close();
});

nativeTest('input from a FIFO ends when its writer has come and gone, not before', async (directory) => {
  const path = await makeFifo(`${directory}/in`);
  const stream = host.openFifo(path, 'read');
  const text = readAll(stream);
  const writer = shell('sleep 0.05; printf hello > "$1"', path);
  expectEqual(await text, 'hello');
  expectEqual((await writer.exited).code, 0);
  stream.close();
});

nativeTest('input that nobody ever writes ends when it is closed', async (directory) => {
  const stream = host.openFifo(await makeFifo(`${directory}/in`), 'read');
  const text = readAll(stream);
  await Promise.resolve();
  stream.close();
  expectEqual(await text, '');
  const closedFirst = host.openFifo(`${directory}/in`, 'read');
  closedFirst.close();
  expectEqual(await closedFirst.read(), undefined);
});

nativeTest('what is no FIFO is refused', async (directory) => {
  await expectThrows('invalid', () => host.openFifo(directory, 'read'));
  await expectThrows('ENOENT', () => host.openFifo(`${directory}/none`, 'write'));
});

nativeTest('a lease is refused with its owner, and free again when the last copy is closed', async (directory) => {
  const path = `${directory}/lease`;
  await host.system.writeFile(path, new Uint8Array(0), { mode: 0o600, durable: false });
  const first = host.takeLease(path, 'first\n', 'exclusive');
  expect('fd' in first, 'the lease was free');
  expectEqual(host.takeLease(path, 'second\n', 'exclusive'), { heldBy: 'first\n' });
  const child = spawnChild({ argv: ['sleep', '60'], fds: [-1, -1, 2, first.fd] });
  first.close();
  first.close();
  expectEqual(host.takeLease(path, 'third\n', 'exclusive'), { heldBy: 'first\n' });
  sys.kill(child.pid, 9);
  await child.exited;
  const next = host.takeLease(path, 'fourth\n', 'exclusive');
  expect('fd' in next, 'the kernel freed the lease of the dead');
  next.close();
});

nativeTest('a network namespace has the identity of its file; another path to it has the same', async (directory) => {
  const netns = host.openNetns('/proc/self/ns/net');
  expect(/^\d+:\d+$/.test(netns.id), `${netns.id} is dev:inode`);
  sys.symlink('/proc/self/ns/net', `${directory}/link`);
  const again = host.openNetns(`${directory}/link`);
  expectEqual(again.id, netns.id);
  netns.close();
  again.close();
  const error = await expectThrows('not-found', () => host.openNetns(`${directory}/none`));
  expect(error instanceof Fault && error.message.includes('/none'), 'the path is named');
});

nativeTest('paths are told apart, through symbolic links', (directory) => {
  sys.symlink(directory, `${directory}/link`);
  expectEqual(
    [directory, `${directory}/link`, '/proc/self/stat', `${directory}/none`, '/proc/self/stat/x'].map(
      host.describePath,
    ),
    ['directory', 'directory', 'other', 'absent', 'absent'],
  );
});

nativeTest(
  'an interface is looked up in the namespace that was asked for, and the process stays in its own',
  async () => {
    const holder = shell('exec unshare --net sleep 60');
    const own = sys.readlink('/proc/self/ns/net');
    // The shell becomes unshare, and that becomes sleep: in its namespace, `lo` is down and has no alias.
    while (sys.readlink(`/proc/${holder.pid}/ns/net`) === own) await createNativeSystem().sleep(5);
    const netns = host.openNetns(`/proc/${holder.pid}/ns/net`);
    try {
      const enter = ['nsenter', `--net=/proc/${holder.pid}/ns/net`, 'ip', 'link'];
      const add = spawnChild({ argv: [...enter, 'add', 'name', 'probe0', 'type', 'bridge'], fds: [-1, -1, 2] });
      expectEqual((await add.exited).code, 0);
      const alias = spawnChild({ argv: [...enter, 'set', 'probe0', 'alias', 'berth:x'], fds: [-1, -1, 2] });
      expectEqual((await alias.exited).code, 0);
      const aliases = host.readLinkAliases(netns);
      expectEqual([aliases.get('probe0'), aliases.get('lo'), aliases.get('absent0')], ['berth:x', '', undefined]);
      expectEqual(sys.readlink('/proc/self/ns/net'), own);
    } finally {
      netns.close();
      sys.kill(holder.pid, 9);
      await holder.exited;
    }
  },
);
