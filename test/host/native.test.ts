import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { buildNative } from '../../deploy/setup/native-build.ts';
import { ensureToolchain } from '../../deploy/setup/toolchain.ts';

/** One line of the binary's standard output: runtime/system/native/testing.ts. */
interface Report {
  readonly name: string;
  readonly milliseconds: number;
  readonly failure?: string;
}

const ROOMS = ['proto', 'cni', 'runtime'];
/** Mount, network and PID namespaces of its own; the binary is PID 1 there, and all ends with it. */
const ALONE = ['-mnp', '--fork', '--kill-child', '--mount-proc'];
const POLYFILL = resolve('runtime/system/native/polyfill.ts');
const SYS = resolve('runtime/system/native/sys.ts');

const scratch = await mkdtemp(join(tmpdir(), 'berth-native-test-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));
const toolchain = await ensureToolchain();

/** Builds a program of these lines of TypeScript and returns the path of the binary. */
async function buildProgram(name: string, lines: readonly string[]): Promise<string> {
  const entry = join(scratch, `${name}.ts`);
  const output = join(scratch, name);
  await writeFile(entry, [`import '${POLYFILL}';`, `import { sys } from '${SYS}';`, ...lines].join('\n'));
  await buildNative({ entry, output }, toolchain);
  return output;
}

async function findTests(): Promise<string[]> {
  const names = await Promise.all(
    ROOMS.map(async (room) => (await readdir(room, { recursive: true })).map((name) => resolve(room, name))),
  );
  return names.flat().filter((name) => name.endsWith('.native-test.ts'));
}

async function runTests() {
  const imports = (await findTests()).map((path) => `import '${path}';`);
  const testing = resolve('runtime/system/native/testing.ts');
  const lines = [`import { runNativeTests } from '${testing}';`, ...imports, 'void runNativeTests();'];
  const binary = await buildProgram('native-tests', lines);
  const directory = await mkdtemp(join(scratch, 'run-'));
  const result = await execa('unshare', [...ALONE, binary, 'test', directory], { reject: false, timeout: 180_000 });
  const reports = result.stdout.split('\n').filter((line) => line.startsWith('{'));
  return { reports: reports.map((line): Report => JSON.parse(line)), exitCode: result.exitCode, stderr: result.stderr };
}

const run = await runTests();

describe('in the static binary', () => {
  for (const { name, failure } of run.reports) {
    test(name, () => {
      if (failure !== undefined) throw new Error(failure);
    });
  }

  test('the tests come to their end', () => {
    expect(run.reports.length).toBeGreaterThan(0);
    expect({ exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ exitCode: 0 });
  });
});

describe('the static binary', () => {
  test('is one static file of about 2 MB, and tells its versions', async () => {
    const binary = await buildProgram('hello', [
      'sys.write(1, new TextEncoder().encode(JSON.stringify([sys.versions(), sys.args().slice(1)])));',
    ]);
    const { stdout: headers } = await execa('readelf', ['--program-headers', '--dynamic', '--wide', binary]);
    expect(headers).toContain('LOAD');
    expect(headers).not.toMatch(/INTERP|NEEDED/);
    expect((await stat(binary)).size).toBeLessThan(2_500_000);
    const { stdout } = await execa(binary, ['a', 'b']);
    expect(JSON.parse(stdout)).toEqual([
      { engine: expect.stringMatching(/^quickjs \d{4}-\d\d-\d\d$/), libc: expect.stringMatching(/^2\./) },
      ['a', 'b'],
    ]);
  });

  test('ends by itself when nothing is left to wait for', async () => {
    const binary = await buildProgram('quiet', ['setTimeout(() => sys.write(1, sys.utf8Encode("done")), 5);']);
    expect((await execa(binary)).stdout).toBe('done');
  });

  const failing = [
    'async function innermost() { await null; throw new Error("outer", { cause: new TypeError("inner") }); }',
    'void innermost();',
    'setTimeout(() => {}, 60_000);',
  ];

  test('ends with 70 after an uncaught error, its stack and its causes; the source map reads the stack', async () => {
    const binary = await buildProgram('failing', failing);
    const { exitCode, stderr } = await execa(binary, { reject: false });
    expect(exitCode).toBe(70);
    expect(stderr).toMatch(/^Uncaught Error: outer\n {4}at innermost \(failing-[0-9a-f]{12}\.js:\d+:\d+\)/);
    expect(stderr).toContain('Caused by TypeError: inner\n');
    const map = JSON.parse(await readFile(`${binary}.map`, 'utf8'));
    expect(stderr).toContain(`failing-${map.debugId}.js`);
    expect(map.sources).toContainEqual(expect.stringMatching(/failing\.ts$/));
  });

  test.each([
    ['an error of a callback', 'setTimeout(() => { throw new Error("thrown"); });', 'Uncaught Error: thrown'],
    ['an error of the program itself', 'throw new Error("at once");', 'Uncaught Error: at once'],
    ['a thrown value that is no error', 'throw { toString: () => "a value" };', 'Uncaught a value'],
    ['endless recursion', 'const f = (): number => 1 + f(); f();', 'Uncaught InternalError: stack overflow'],
  ])('names %s', async (name, line, message) => {
    const binary = await buildProgram(`failing-${name.replaceAll(' ', '-')}`, [line]);
    const { exitCode, stderr } = await execa(binary, { reject: false });
    expect(stderr).toContain(message);
    expect(exitCode).toBe(70);
  });

  test('does not end over a rejection that is handled late in the same turn', async () => {
    const line = 'const late = Promise.reject(new Error()); void Promise.resolve().then(() => late.catch(() => {}));';
    const binary = await buildProgram('late', [line]);
    expect((await execa(binary, { reject: false })).exitCode).toBe(0);
  });

  test('as PID 1 says an uncaught error to the kernel log, and powers off', async () => {
    const binary = await buildProgram('failing-pid-1', failing);
    const log = join(scratch, 'kmsg');
    await writeFile(log, '');
    const script = 'mount --bind "$1" /dev/kmsg && exec "$2"';
    const result = await execa('unshare', [...ALONE, 'sh', '-c', script, 'sh', log, binary], { reject: false });
    // In a PID namespace the kernel reports a power-off as SIGINT of its PID 1 (pid_namespaces(7)).
    expect(result.signal ?? result.exitCode).toBe('SIGINT');
    expect(await readFile(log, 'utf8')).toContain('Caused by TypeError: inner');
  });
});

describe('the build', () => {
  test('is repeatable, also by several at once', async () => {
    const lines = ['sys.exit(4);'];
    const binaries = await Promise.all(['same-a', 'same-b', 'same-c'].map((name) => buildProgram(name, lines)));
    for (const binary of binaries) expect((await execa(binary, { reject: false })).exitCode).toBe(4);
    const again = await buildProgram('same-a', lines);
    expect((await readFile(again)).equals(await readFile(binaries[0] ?? ''))).toBe(true);
  });

  test('says what does not bundle, and leaves no output', async () => {
    await expect(buildProgram('wrong', ['import "./nothing.ts";'])).rejects.toMatchObject({
      code: 'exec',
      message: expect.stringContaining('wrong.ts does not bundle'),
    });
    await expect(stat(join(scratch, 'wrong'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
