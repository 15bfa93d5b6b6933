import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { ensureToolchain, runInToolchain } from '../../deploy/setup/toolchain.ts';
import { ALONE, buildProgram as buildProgramOn, runNativeTests } from '../support/native-tests.ts';

const scratch = await mkdtemp(join(tmpdir(), 'berth-native-test-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));
const toolchain = await ensureToolchain();

const buildProgram = (name: string, lines: readonly string[]): Promise<string> =>
  buildProgramOn({ scratch }, name, lines);

const run = await runNativeTests({ scratch });

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
  test('is one static file of about 1 MB, and tells its versions', async () => {
    const binary = await buildProgram('hello', [
      'sys.write(1, new TextEncoder().encode(JSON.stringify([sys.versions(), sys.args().slice(1)])));',
    ]);
    const readelf = ['readelf', '--program-headers', '--dynamic', '--wide', basename(binary)];
    const headers = await runInToolchain(toolchain, scratch, readelf);
    expect(headers).toContain('LOAD');
    expect(headers).not.toMatch(/INTERP|NEEDED/);
    expect((await stat(binary)).size).toBeLessThan(1_500_000);
    const { stdout } = await execa(binary, ['a', 'b']);
    expect(JSON.parse(stdout)).toEqual([
      { engine: expect.stringMatching(/^quickjs \d{4}-\d\d-\d\d$/), libc: expect.stringMatching(/^musl \d/) },
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
