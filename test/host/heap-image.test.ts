import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { ENGINE_FILE } from '../../deploy/setup/engine.ts';
import { buildNative } from '../../deploy/setup/native-build.ts';
import { ensureNativeHost } from '../../deploy/setup/native-host.ts';
import { ensureToolchain, runInToolchain } from '../../deploy/setup/toolchain.ts';

const scratch = await mkdtemp(join(tmpdir(), 'berth-heap-image-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));
const toolchain = await ensureToolchain();
const NATIVE = resolve('runtime/system/native');

/** Of lines that run while modules are loaded, in the build. */
async function build(name: string, lines: readonly string[]): Promise<string> {
  const entry = join(scratch, `${name}.ts`);
  const imports = [`import '${NATIVE}/polyfill.ts';`, `import { sys } from '${NATIVE}/sys.ts';`];
  await writeFile(entry, [...imports, ...lines].join('\n'));
  await buildNative({ entry, output: join(scratch, name) }, toolchain);
  return join(scratch, name);
}

const SAY = 'const say = (value: unknown): void => void sys.write(1, sys.utf8Encode(JSON.stringify(value)));';

describe('a process begins with what the modules have left in memory', () => {
  test('and with a copy of its own', async () => {
    const binary = await build('counter', [
      SAY,
      'let count = 0;',
      'const names = new Map([["a", { n: 1 }]]);',
      'count += 1;',
      'sys.main = () => {',
      '  count += 1;',
      '  names.set("b", { n: count });',
      '  say([count, [...names], new Error("x").message, /^(\\w)+$/u.exec("word")?.[0], typeof sys.getpid()]);',
      '};',
    ]);
    for (const _ of [1, 2]) {
      const { stdout } = await execa(binary);
      expect(JSON.parse(stdout)).toEqual([
        2,
        [
          ['a', { n: 1 }],
          ['b', { n: 2 }],
        ],
        'x',
        'word',
        'number',
      ]);
    }
  });

  test('whose large blocks grow and go as others do', async () => {
    const binary = await build('large', [
      SAY,
      'const numbers = Array.from({ length: 50_000 }, (_, index) => index);',
      'let bytes: Uint8Array | undefined = new Uint8Array(200_000).fill(7);',
      'let text: string | undefined = "é".repeat(100_000);',
      'const keys = Object.fromEntries(numbers.slice(0, 5_000).map((number) => ["key " + number, number]));',
      'sys.main = () => {',
      '  for (let index = 0; index < 100_000; index += 1) numbers.push(index);',
      '  const sum = (bytes ?? []).reduce((left, right) => left + right, text?.length ?? 0);',
      '  for (const key of Object.keys(keys)) delete keys[key];',
      '  bytes = text = undefined;',
      '  numbers.length = 10;',
      '  sys.gc();',
      '  say([sum, numbers.length, Object.keys(keys).length]);',
      '};',
    ]);
    expect(JSON.parse((await execa(binary)).stdout)).toEqual([1_500_000, 10, 0]);
  });

  test('and with a stack of its own, however large the environment is', async () => {
    const binary = await build('deep', [
      'const depth = (left: number): number => (left === 0 ? 0 : 1 + depth(left - 1));',
      'sys.main = () => { depth(1_000); const f = (): number => 1 + f(); f(); };',
    ]);
    for (const length of [1, 100_000]) {
      const { stderr } = await execa(binary, { reject: false, env: { LARGE: 'x'.repeat(length) } });
      expect(stderr).toContain('Uncaught InternalError: stack overflow');
    }
  });
});

describe('what cannot be the same in every process is refused by the build', () => {
  test.each([
    ['a system call', ['const pid = sys.getpid();', 'sys.main = () => sys.exit(pid);'], 'TypeError: not a function'],
    ['the time', ['const start = Date.now();', 'sys.main = () => sys.exit(start);'], 'asks for the time'],
    ['the time zone', ['const noon = new Date(2020, 0, 1, 12);', 'sys.main = () => sys.exit(+noon);'], 'differ'],
    ['a program without a beginning', ['sys.utf8Encode("");'], 'does not set sys.main'],
  ])('%s', async (name, lines, message) => {
    const failure = await build(name.replaceAll(' ', '-'), lines).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'exec', cause: { message: expect.stringContaining(message) } });
  });

  test('random numbers, which all processes would share', async () => {
    const binary = await build('random', ['sys.main = () => sys.exit(typeof Math.random === "undefined" ? 3 : 4);']);
    expect((await execa(binary, { reject: false })).exitCode).toBe(3);
  });
});

test('a binary is linked anew when the way to link it has changed, not when its parts have moved', async () => {
  const [entry, output] = [join(scratch, 'linked.ts'), join(scratch, 'linked')];
  await writeFile(
    entry,
    `import '${NATIVE}/polyfill.ts';\nimport { sys } from '${NATIVE}/sys.ts';\nsys.main = () => {};`,
  );
  const host = await ensureNativeHost(toolchain);
  const elsewhere = join(scratch, 'elsewhere');
  await cp(host.directory, elsewhere, { recursive: true });
  const linkedElse = { ...host, linker: [...host.linker, '-Wl,--build-id'] };
  const builds = [host, linkedElse, { ...host, directory: elsewhere }];
  const ids: string[] = [];
  for (const each of builds) ids.push((await buildNative({ entry, output }, toolchain, each)).buildId);
  expect(ids[1]).not.toBe(ids[0]);
  expect(ids[2]).toBe(ids[0]);
});

test('the engine has no variable outside of its heap but locks, and counters of what is not used here', async () => {
  const { directory } = await ensureNativeHost(toolchain);
  const table = await runInToolchain(toolchain, directory, ['objdump', '--syms', ENGINE_FILE]);
  const variable = / O \.t?(?:data|bss)(?!\.rel\.ro)\S*\t\S+ (\S+)$/;
  const names = table.split('\n').flatMap((line) => variable.exec(line)?.[1] ?? []);
  expect(names.sort()).toEqual([
    'js_atomics_mutex',
    'js_atomics_waiter_list',
    'js_class_id_alloc',
    'js_class_id_mutex',
  ]);
});
