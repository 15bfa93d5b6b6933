import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { buildNative } from '../../deploy/setup/native-build.ts';
import { ensureSanitizedHost } from '../../deploy/setup/sanitized-host.ts';
import { ensureToolchain } from '../../deploy/setup/toolchain.ts';
import { createCniNode } from '../support/cni-node.ts';
import { buildProgram, runNativeTests } from '../support/native-tests.ts';

const scratch = await mkdtemp(join(tmpdir(), 'berth-sanitize-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));
const toolchain = await ensureToolchain();
const host = await ensureSanitizedHost(toolchain);
// Into files: what a child of a child prints may be read by a test, or by nobody.
const reports = await mkdtemp(join(scratch, 'reports-'));
const options = `log_path=${join(reports, 'report')}:print_stacktrace=1`;
const env = { ASAN_OPTIONS: options, UBSAN_OPTIONS: options };

/** What the sanitizers found since the last look. */
async function takeReports(): Promise<string> {
  const paths = (await readdir(reports)).map((name) => join(reports, name));
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  await Promise.all(paths.map((path) => rm(path)));
  return texts.join('\n');
}

const run = await runNativeTests({ scratch, host, env });
const found = await takeReports();

afterEach(async () => {
  expect(await takeReports()).toBe('');
});

describe('in the binary with sanitizers', () => {
  for (const { name, failure } of run.reports) {
    test(name, () => {
      if (failure !== undefined) throw new Error(failure);
    });
  }

  test('the tests come to their end, and the sanitizers find nothing', () => {
    expect(run.reports.length).toBeGreaterThan(0);
    expect({ found, exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ found: '', exitCode: 0 });
  });
});

test('the sanitizers are in the binary', async () => {
  const binary = await buildProgram({ scratch, host }, 'help', []);
  const { stderr } = await execa(binary, { env: { ASAN_OPTIONS: 'help=1' } });
  expect(stderr).toContain('Available flags for AddressSanitizer');
});

test.each([
  ['an error of a callback', 'setTimeout(() => { throw new Error("x", { cause: new Error("y") }); });', 70],
  ['a rejection', 'void Promise.reject(new Error("nobody"));', 70],
  ['endless recursion', 'const f = (): number => 1 + f(); f();', 70],
  ['a loop that runs out of work', 'setTimeout(() => {}, 1);', 0],
])('a program ends cleanly with %s', async (name, line, exitCode) => {
  const binary = await buildProgram({ scratch, host }, name.replaceAll(' ', '-'), [line]);
  expect((await execa(binary, { env, reject: false })).exitCode).toBe(exitCode);
});

test('the CNI plugin wires and unwires a pod, and refuses what is no configuration', async () => {
  const program = join(scratch, 'berth');
  await buildNative({ entry: 'cni/main.ts', output: program }, toolchain, host);
  const node = await createCniNode(program);
  try {
    const pod = await node.addPod('pod', 'ptp, dual-stack');
    for (const verb of ['ADD', 'ADD', 'DEL', 'DEL', 'VERSION']) {
      expect({ verb, ...(await pod.berth(verb, { env })) }).toMatchObject({ verb, exitCode: 0 });
    }
    for (const stdin of [
      '',
      '{',
      '[]',
      '\u0000',
      '{"cniVersion":"1.0.0","name":"net","prevResult":{"interfaces":7}}',
    ]) {
      expect(await pod.berth('ADD', { env, stdin })).toMatchObject({ exitCode: 1 });
    }
  } finally {
    await node.close();
  }
});
