import { STDERR, STDIN, STDOUT } from '../../proto/stdio-frame.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import { silentLog } from '../system/log.ts';
import { spawnChild } from '../system/native/process.ts';
import { sys } from '../system/native/sys.ts';
import { expect, expectEqual, nativeTest } from '../system/native/testing.ts';
import { memoryStreams } from '../system/rpc/memory-stream.ts';
import { Undo } from '../system/undo.ts';
import { openStdio } from './stdio.ts';

/** A shell with the streams of a container, and the host's end of them. */
function startShell(script: string) {
  const [host, guest] = [new StdioMux(), new StdioMux()];
  const [left, right] = memoryStreams();
  const output = { stdout: host.receiver(1, STDOUT), stderr: host.receiver(1, STDERR) };
  void host.attach(left);
  void guest.attach(right);
  const stdio = openStdio(guest, 1, silentLog, new Undo(silentLog));
  const { exited } = spawnChild({ argv: ['/bin/sh', '-c', script], fds: stdio.theirs });
  for (const fd of stdio.theirs) sys.close(fd);
  return { host, stdio, exited, output, hangUp: () => left.close() };
}

async function readSize(receiver: { read(): Promise<Uint8Array | undefined> }): Promise<number> {
  let size = 0;
  for (let bytes = await receiver.read(); bytes !== undefined; bytes = await receiver.read()) size += bytes.length;
  return size;
}

nativeTest('stdio: input reaches the program, outputs come apart and complete, then all is drained', async () => {
  const { host, stdio, exited, output, hangUp } = startShell('tee /dev/fd/2; exec >&- 2>&-; sleep 0.01');
  const stdin = host.sender(1, STDIN);
  const sizes = Promise.all([readSize(output.stdout), readSize(output.stderr)]);
  for (let piece = 0; piece < 20; piece += 1) await stdin.send(new Uint8Array(50_000));
  stdin.end();
  expectEqual(await sizes, [1_000_000, 1_000_000]);
  await exited;
  await stdio.drained();
  stdio.release();
  hangUp();
});

nativeTest('stdio: a program that does not read its input holds nobody up', async () => {
  const { host, stdio, exited, output, hangUp } = startShell('exec <&-; echo done');
  const stdin = host.sender(1, STDIN);
  for (let piece = 0; piece < 20; piece += 1) await stdin.send(new Uint8Array(50_000));
  stdin.end();
  await stdin.drained();
  expectEqual(await Promise.all([readSize(output.stdout), readSize(output.stderr)]), [5, 0]);
  await exited;
  stdio.release();
  hangUp();
});

nativeTest('stdio: released streams still bring the last output to the host', async () => {
  const { stdio, exited, output, hangUp } = startShell('head -c 300000 /dev/zero');
  const ended = exited.then(() => stdio.release());
  // More than a pipe and the window hold: the program ends only while the host reads.
  expectEqual(await readSize(output.stdout), 300_000);
  expectEqual(await readSize(output.stderr), 0);
  await ended;
  await stdio.drained();
  expect((await output.stdout.read()) === undefined, 'the end stays the end');
  hangUp();
});
