import { adoptOrphans, awaitPid, type Child, spawnChild, toExitCode } from './process.ts';
import { isAlive, readProcessIdentity } from './process-identity.ts';
import { AF, CLONE, O, SIG, SOCK, sys, WNOHANG } from './sys.ts';
import { createNativeSystem } from './system.ts';
import { expect, expectEqual, expectThrows, nativeProgram, nativeTest, testProgram } from './testing.ts';

const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function shell(
  script: string,
  options: { fds?: number[]; netns?: number; setsid?: boolean; env?: string[] } = {},
): Child {
  return spawnChild({ argv: ['/bin/sh', '-c', script], fds: [-1, 2, 2], ...options });
}

/** In a subshell: waits until the shell itself, which would reap it, is gone. */
const WHEN_ORPHANED = 'while [ -d /proc/$$ ]; do sleep 0.01; done';

nativeTest('process: exit status and signal reach who waits, also when the child is gone before', async () => {
  const child = shell('exit 7');
  while (isAlive({ pid: child.pid, startTicks: readProcessIdentity(child.pid)?.startTicks ?? -1 })) await sleep(1);
  expectEqual(toExitCode(await child.exited), 7);
  expectEqual(toExitCode(await shell('kill -KILL $$').exited), 137);
  expectEqual((await child.exited).code, 7);
});

nativeTest('process: many children at once', async () => {
  const children = Array.from({ length: 50 }, (_, index) => shell(`exit ${index}`));
  const exits = await Promise.all(children.map((child) => child.exited));
  expectEqual(exits.map((exit) => exit.code).join(), children.map((_, index) => index).join());
});

nativeTest('process: what makes a child fail before it is a program is said', async (directory) => {
  const failing = (request: { argv: string[]; cwd?: string; netns?: number; fds?: number[] }) =>
    sys.spawn({ fds: [], ...request });
  await expectThrows('ENOENT', () => failing({ argv: ['berth-none'] }));
  await expectThrows('ENOENT', () => failing({ argv: ['/berth/none'] }));
  await expectThrows('EACCES', () => failing({ argv: [directory] }));
  const chdir = await expectThrows('ENOENT', () => failing({ argv: ['true'], cwd: `${directory}/none` }));
  expect(String(chdir).includes(`chdir ${directory}/none`), String(chdir));
  await expectThrows('EBADF', () => failing({ argv: ['true'], fds: [999] }));
  const notNamespace = sys.open('/dev/null', O.RDONLY);
  await expectThrows('EINVAL', () => failing({ argv: ['true'], netns: notNamespace }));
  sys.close(notNamespace);
  expectEqual(sys.waitpid(-1, WNOHANG), null);
  await expectThrows('environment', () => spawnChild({ argv: ['berth-none'], fds: [] }));
  await expectThrows('exec', () => spawnChild({ argv: [directory], fds: [] }));
});

nativeTest('process: descriptors are placed, crossing ones too, and no other is open', async (directory) => {
  const [reader, writer] = sys.pipe();
  const [first, second] = ['first', 'second'].map((name) => sys.open(`${directory}/${name}`, O.RDWR | O.CREAT));
  // Descriptors of the parent that lie on indices of the child.
  sys.dup2(first ?? -1, 20);
  sys.dup2(second ?? -1, 21);
  const fds = [-1, writer, 2, ...Array.from({ length: 17 }, () => -1), 21, 20];
  // dash knows one-digit descriptors only.
  const child = spawnChild({ argv: ['bash', '-c', 'ls /proc/self/fd; echo A >&20; echo B >&21'], fds });
  sys.close(writer);
  expectEqual((await child.exited).code, 0);
  const buffer = new Uint8Array(4096);
  const open = text(buffer.subarray(0, sys.read(reader, buffer)))
    .trim()
    .split('\n')
    .map(Number);
  // And the directory that ls itself reads.
  expectEqual(
    open.filter((fd) => fd > 22),
    [],
  );
  expectEqual([text(sys.readFile(`${directory}/first`)), text(sys.readFile(`${directory}/second`))], ['B\n', 'A\n']);
  for (const fd of [reader, first ?? -1, second ?? -1, 20, 21]) sys.close(fd);
});

nativeTest('process: a child has default signals, its environment, and a session of its own', async (directory) => {
  const program = `#!/bin/sh\ngrep -E 'SigBlk|SigIgn' /proc/self/status\necho "$A"\ncut -d' ' -f6 /proc/$$/stat; echo $$\n`;
  const fd = sys.open(`${directory}/berth-program`, O.WRONLY | O.CREAT, 0o700);
  sys.write(fd, new TextEncoder().encode(program));
  sys.close(fd);
  const [reader, writer] = sys.pipe();
  const env = ['A=b c', `PATH=${directory}:/usr/bin:/bin`];
  const child = spawnChild({ argv: ['berth-program'], env, fds: [-1, writer, 2], setsid: true });
  sys.close(writer);
  expectEqual((await child.exited).code, 0);
  const buffer = new Uint8Array(4096);
  const lines = text(buffer.subarray(0, sys.read(reader, buffer)))
    .trim()
    .split('\n');
  expectEqual(lines.slice(0, 3), ['SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000', 'b c']);
  expectEqual(lines[3], lines[4]);
  sys.close(reader);
});

nativeTest('process: a child enters a network namespace, and this process stays', async () => {
  const holder = spawnChild({ argv: ['unshare', '-n', 'sh', '-c', 'echo; exec sleep 60'], fds: [-1, -1, 2] });
  const own = sys.readlink('/proc/self/ns/net');
  while (sys.readlink(`/proc/${holder.pid}/ns/net`) === own) await sleep(1);
  const netns = sys.open(`/proc/${holder.pid}/ns/net`, O.RDONLY);
  const [reader, writer] = sys.pipe();
  const child = spawnChild({ argv: ['readlink', '/proc/self/ns/net'], fds: [-1, writer, 2], netns });
  sys.close(writer);
  expectEqual((await child.exited).code, 0);
  const buffer = new Uint8Array(64);
  expectEqual(text(buffer.subarray(0, sys.read(reader, buffer))).trim(), sys.readlink(`/proc/${holder.pid}/ns/net`));
  expectEqual(sys.readlink('/proc/self/ns/net'), own);
  sys.kill(holder.pid, SIG.KILL);
  await holder.exited;
  for (const fd of [reader, netns]) sys.close(fd);
});

nativeTest('process: this process enters a network namespace and makes one', () => {
  const own = sys.open('/proc/self/ns/net', O.RDONLY);
  const before = sys.readlink('/proc/self/ns/net');
  sys.unshare(CLONE.NEWNET);
  expect(sys.readlink('/proc/self/ns/net') !== before, 'the namespace is a new one');
  sys.close(sys.socket(AF.INET, SOCK.DGRAM, 0));
  sys.setns(own, CLONE.NEWNET);
  expectEqual(sys.readlink('/proc/self/ns/net'), before);
  sys.close(own);
});

nativeProgram('spawn-mortal', async ([pidFile = '']) => {
  const child = spawnChild({ argv: ['sleep', '60'], fds: [-1, -1, -1], parentDeathSignal: SIG.TERM });
  const { writeFile } = createNativeSystem();
  await writeFile(pidFile, new TextEncoder().encode(`${child.pid}`), { mode: 0o600, durable: false });
  await child.exited;
});

nativeTest('process: a child with a death signal dies with its parent', async (directory) => {
  const pidFile = `${directory}/pid`;
  adoptOrphans();
  const parent = spawnChild({ argv: testProgram('spawn-mortal', pidFile), fds: [-1, -1, 2] });
  while ((sys.stat(pidFile)?.size ?? 0) === 0) await sleep(1);
  const pid = Number(text(sys.readFile(pidFile)));
  expect(readProcessIdentity(pid) !== undefined, 'the grandchild lives');
  sys.kill(parent.pid, SIG.KILL);
  await parent.exited;
  expectEqual((await awaitPid(pid)).signal, SIG.TERM);
});

nativeTest('reaper: a hundred orphans leave no zombie, and a child among them is still told', async () => {
  adoptOrphans();
  const spawner = shell('for i in $(seq 100); do (sleep 0.05 & ) ; done; exit 5');
  expectEqual((await spawner.exited).code, 5);
  const others = (): number[] =>
    sys
      .readdir('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && pid !== sys.getpid());
  while (others().length > 0) await sleep(5);
});

nativeTest('reaper: an adopted pid can be awaited before, at and after its end', async (directory) => {
  adoptOrphans();
  const daemon = async (name: string, script: string): Promise<number> => {
    const path = `${directory}/${name}`;
    await shell(`(${WHEN_ORPHANED}; ${script}) & echo $! >${path}`).exited;
    return Number(text(sys.readFile(path)));
  };
  const running = awaitPid(await daemon('running', 'sleep 0.05; exit 3'));
  expectEqual((await running).code, 3);
  const ended = await daemon('ended', 'exit 4');
  while (sys.stat(`/proc/${ended}`) !== null) await sleep(1);
  expectEqual((await awaitPid(ended)).code, 4);
  await expectThrows('not-found', () => awaitPid(ended));
});

nativeProgram('subreaper', async ([pidFile = '']) => {
  adoptOrphans();
  await shell(`(${WHEN_ORPHANED}; exit 6) & echo $! >${pidFile}`).exited;
  sys.exit((await awaitPid(Number(text(sys.readFile(pidFile))))).code);
});

nativeTest('reaper: works as a subreaper too, not only as PID 1', async (directory) => {
  const reaper = spawnChild({ argv: testProgram('subreaper', `${directory}/pid`), fds: [-1, -1, 2] });
  expectEqual((await reaper.exited).code, 6);
});

nativeProgram('childless', async () => {
  await shell('exit 0').exited;
});

nativeTest('reaper: a program whose children have ended may end', async () => {
  const program = spawnChild({ argv: testProgram('childless'), fds: [-1, -1, 2] });
  expectEqual((await program.exited).code, 0);
});

nativeTest('process identity: a pid and its start, until the process has ended', async () => {
  const child = shell('exec sleep 60');
  const identity = readProcessIdentity(child.pid);
  expect(identity !== undefined && identity.startTicks > 0, 'a living process has an identity');
  expect(isAlive(identity), 'it is alive');
  expect(!isAlive({ ...identity, startTicks: identity.startTicks + 1 }), 'another start is another process');
  sys.kill(child.pid, SIG.KILL);
  await child.exited;
  expect(!isAlive(identity), 'it has ended');
  expectEqual(readProcessIdentity(child.pid), undefined);
  expectEqual(readProcessIdentity(sys.getpid())?.pid, sys.getpid());
});
