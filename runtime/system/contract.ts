import { Fault } from '../../proto/fault.ts';
import type { ByteStream, System } from './port.ts';

/** One promise of the port `System`; `run` throws where an implementation breaks it. `directory` is empty and its own. */
export interface ContractCase {
  readonly name: string;
  readonly run: (system: System, directory: string) => Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
const RECORD = { mode: 0o600, durable: false } as const;

/** What every implementation of the port must do. Knows neither vitest nor Node: the static binary runs it as well. */
export const systemContract: readonly ContractCase[] = [
  {
    name: 'reads what it wrote, of any bytes',
    async run(system, directory) {
      const data = system.randomBytes(100_000);
      await system.writeFile(`${directory}/a`, data, RECORD);
      expectBytes(await system.readFile(`${directory}/a`), data);
    },
  },
  {
    name: 'answers undefined for a file that is not there, also below one that is no directory',
    async run(system, directory) {
      await system.writeFile(`${directory}/a`, bytes(''), RECORD);
      expect((await system.readFile(`${directory}/b`)) === undefined, 'a file that is not there is undefined');
      expect((await system.readFile(`${directory}/a/b`)) === undefined, 'a path through a file is undefined');
      expectBytes(await system.readFile(`${directory}/a`), bytes(''));
    },
  },
  {
    name: 'reads the end of a file, of a short one all, and of one that is not there nothing',
    async run(system, directory) {
      await system.writeFile(`${directory}/a`, bytes('one two'), RECORD);
      expectBytes(await system.readTail(`${directory}/a`, 3), bytes('two'));
      expectBytes(await system.readTail(`${directory}/a`, 100), bytes('one two'));
      expect((await system.readTail(`${directory}/b`, 3)) === undefined, 'a file that is not there is undefined');
    },
  },
  {
    name: 'is a Fault io with the errno name where reading fails otherwise',
    run: (system, directory) => expectFault(system.readFile(directory), 'io', 'EISDIR'),
  },
  {
    name: 'replaces a file with its mode, whatever the umask, and leaves no temporary file',
    async run(system, directory) {
      await system.writeFile(`${directory}/a`, bytes('old, and longer'), RECORD);
      await system.writeFile(`${directory}/a`, bytes('new'), { mode: 0o666, durable: true });
      expectBytes(await system.readFile(`${directory}/a`), bytes('new'));
      expectEqual(await system.list(directory), ['a']);
      expectEqual((await shell(system, 'stat -c %a "$1"', `${directory}/a`)).trim(), '666');
    },
  },
  {
    name: 'is a Fault io where there is no directory to write to, or to replace',
    async run(system, directory) {
      await expectFault(system.writeFile(`${directory}/no/a`, bytes(''), RECORD), 'io', 'ENOENT');
      await system.makeDirectory(`${directory}/taken/full`, 0o700);
      await expectFault(system.writeFile(`${directory}/taken`, bytes(''), RECORD), 'io', 'EISDIR');
      expectEqual(await system.list(directory), ['taken']);
    },
  },
  {
    name: 'removes files and empty directories, and says whether there was one',
    async run(system, directory) {
      await system.writeFile(`${directory}/a`, bytes('a'), RECORD);
      await system.makeDirectory(`${directory}/d`, 0o700);
      for (const path of [`${directory}/a`, `${directory}/d`]) {
        expect(await system.remove(path, { durable: true }), `${path} was there`);
        expect(!(await system.remove(path)), `${path} is gone`);
      }
      expect(!(await system.remove(`${directory}/a/b`)), 'below nothing there is nothing');
    },
  },
  {
    name: 'does not remove a directory that is not empty',
    async run(system, directory) {
      await system.makeDirectory(`${directory}/d/e`, 0o700);
      await expectFault(system.remove(`${directory}/d`), 'io', 'ENOTEMPTY');
    },
  },
  {
    name: 'lists names in order, and nothing where there is no directory',
    async run(system, directory) {
      for (const name of ['b', 'a', 'é', 'B']) await system.writeFile(`${directory}/${name}`, bytes(''), RECORD);
      expectEqual(await system.list(directory), ['B', 'a', 'b', 'é']);
      expectEqual(await system.list(`${directory}/none`), []);
    },
  },
  {
    name: 'makes a directory with its parents, and leaves existing ones as they are',
    async run(system, directory) {
      await system.makeDirectory(`${directory}/a`, 0o700);
      await system.makeDirectory(`${directory}/a/b/c`, 0o755);
      await system.makeDirectory(`${directory}/a/b/c`, 0o700);
      const modes = await shell(system, 'cd "$1" && stat -c %a a a/b a/b/c', directory);
      expectEqual(modes.trim().split('\n'), ['700', '755', '755']);
      await system.writeFile(`${directory}/file`, bytes(''), RECORD);
      await expectFault(system.makeDirectory(`${directory}/file`, 0o700), 'io', 'EEXIST');
      await expectFault(system.makeDirectory(`${directory}/file/d`, 0o700), 'io', 'ENOTDIR');
    },
  },
  {
    name: 'carries bytes both ways over a unix socket of mode 0600, in order, until the end',
    async run(system, directory) {
      const path = `${directory}/s`;
      const listener = await system.listen(path, (stream) => void echo(stream));
      expectEqual((await shell(system, 'stat -c %a "$1"', path)).trim(), '600');
      const stream = await system.connect(path);
      const data = system.randomBytes(MEBIBYTE);
      const third = Math.floor(data.length / 3);
      const parts = [data.subarray(0, third), data.subarray(third, 2 * third), data.subarray(2 * third)];
      const sent = Promise.all(parts.map((part) => stream.write(part)));
      expectBytes(await readExactly(stream, data.length), data);
      await sent;
      stream.close();
      await listener.close();
      expectEqual(await system.list(directory), []);
    },
  },
  {
    name: 'ends a pending read when the stream is closed, and reads the end when the peer closes',
    async run(system, directory) {
      const path = `${directory}/s`;
      const accepted: ByteStream[] = [];
      const listener = await system.listen(path, (stream) => void accepted.push(stream));
      const stream = await system.connect(path);
      const pending = stream.read();
      stream.close();
      stream.close();
      expect((await pending) === undefined, 'a pending read ends at close');
      while (accepted[0] === undefined) await system.sleep(1);
      expect((await accepted[0].read()) === undefined, 'the peer reads the end');
      await expectFault(writeUntilRefused(system, accepted[0]), 'io', 'EPIPE');
      accepted[0].close();
      await listener.close();
      await listener.close();
    },
  },
  {
    name: 'refuses to connect where nobody listens, naming why',
    async run(system, directory) {
      await expectFault(system.connect(`${directory}/s`), 'io', 'ENOENT');
      await system.writeFile(`${directory}/file`, bytes(''), RECORD);
      await expectFault(system.connect(`${directory}/file`), 'io', 'ECONNREFUSED');
    },
  },
  {
    name: 'listens where a stale socket is, but not where somebody serves or where there is no socket',
    async run(system, directory) {
      const path = `${directory}/s`;
      const first = await system.listen(path, (stream) => stream.close());
      await expectFault(
        system.listen(path, () => {}),
        'busy',
      );
      await shell(system, 'mv "$1" "$1.stale"', path);
      await first.close();
      const second = await system.listen(`${path}.stale`, (stream) => void echo(stream));
      const stream = await system.connect(`${path}.stale`);
      await stream.write(bytes('x'));
      expectBytes(await stream.read(), bytes('x'));
      stream.close();
      await second.close();
      await system.writeFile(path, bytes('data'), RECORD);
      await expectFault(
        system.listen(path, () => {}),
        'precondition',
      );
      expectBytes(await system.readFile(path), bytes('data'));
    },
  },
  {
    name: 'refuses a socket path that does not fit in an address',
    async run(system, directory) {
      const path = `${directory}/${'s'.repeat(108)}`;
      await expectFault(system.connect(path), 'invalid');
      await expectFault(
        system.listen(path, () => {}),
        'invalid',
      );
    },
  },
  {
    name: 'runs a program to its end: both outputs, and a status that is no success',
    async run(system) {
      const script = 'printf out; printf err >&2; exit 3';
      const { exitCode, stdout, stderr } = await system.run({ file: '/bin/sh', args: ['-c', script] });
      expectEqual([exitCode, text(stdout), text(stderr)], [3, 'out', 'err']);
    },
  },
  {
    name: 'carries a mebibyte through standard input and output',
    async run(system) {
      const stdin = system.randomBytes(MEBIBYTE);
      const { exitCode, stdout } = await system.run({ file: 'cat', args: [], stdin });
      expectEqual(exitCode, 0);
      expectBytes(stdout, stdin);
      const deaf = await system.run({ file: 'true', args: [], stdin });
      expectEqual(deaf.exitCode, 0);
    },
  },
  {
    name: 'gives an environment, a directory and an empty standard input',
    async run(system, directory) {
      const script = 'cat; echo "$LC_ALL|$A|$HOME"; pwd -P';
      const own = await system.run({ file: '/bin/sh', args: ['-c', script], cwd: '/' });
      expect(text(own.stdout).startsWith('C|'), 'LC_ALL is C by default');
      const env = { A: 'b c' };
      const given = await system.run({ file: '/bin/sh', args: ['-c', script], cwd: directory, env });
      expectEqual(text(given.stdout).split('\n')[0], '|b c|');
      expect(text(given.stdout).trim().endsWith(directory), 'cwd is the directory');
    },
  },
  {
    name: 'tells a program that a signal ended, one that is not there and one that takes too long',
    async run(system) {
      const killed = await system.run({ file: '/bin/sh', args: ['-c', 'kill -9 $$'] });
      expectEqual(killed.exitCode, 137);
      await expectFault(system.run({ file: 'berth-no-such-program', args: [] }), 'environment', 'ENOENT');
      await expectFault(system.run({ file: 'sleep', args: ['60'], timeoutMs: 50 }), 'timeout');
    },
  },
  {
    name: 'sleeps at least as long as asked, by a clock that goes on',
    async run(system) {
      const start = system.now();
      await system.sleep(20);
      // A timer may count from before now() was read.
      expect(system.now() - start >= 19, 'sleep is not shorter than asked');
      expectEqual(system.randomBytes(16).length, 16);
    },
  },
];

const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);

function expect(condition: boolean, promise: string): void {
  if (!condition) throw new Error(`broken: ${promise}`);
}

function expectEqual(actual: unknown, expected: unknown): void {
  const [have, want] = [JSON.stringify(actual), JSON.stringify(expected)];
  expect(have === want, `expected ${want}, got ${have}`);
}

function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expectEqual(actual?.length, expected.length);
  const at = expected.findIndex((byte, index) => byte !== actual?.[index]);
  expect(at === -1, `bytes differ at ${at}`);
}

async function expectFault(promise: Promise<unknown>, code: string, errno?: string): Promise<void> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof Fault)) throw new Error(`expected a Fault ${code}, got ${thrown}`);
  expectEqual(thrown.code, code);
  const cause = thrown.cause as { code?: unknown } | undefined;
  if (errno !== undefined) expectEqual(cause?.code, errno);
}

async function shell(system: System, script: string, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await system.run({ file: '/bin/sh', args: ['-c', script, 'sh', ...args] });
  expect(exitCode === 0, `${script}: ${text(stderr)}`);
  return text(stdout);
}

async function echo(stream: ByteStream): Promise<void> {
  for (let data = await stream.read(); data !== undefined; data = await stream.read()) await stream.write(data);
  stream.close();
}

async function readExactly(stream: ByteStream, length: number): Promise<Uint8Array> {
  const all = new Uint8Array(length);
  for (let have = 0; have < length; ) {
    const part = await stream.read();
    if (part === undefined) throw new Error(`the stream ended after ${have} of ${length} bytes`);
    all.set(part, have);
    have += part.length;
  }
  return all;
}

/** The first write after the peer has gone may still fit in a buffer. */
async function writeUntilRefused(system: System, stream: ByteStream): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    await stream.write(bytes('x'));
    await system.sleep(1);
  }
}
