import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { buildNative } from '../../deploy/setup/native-build.ts';
import type { NativeHost } from '../../deploy/setup/native-host.ts';
import { ensureToolchain } from '../../deploy/setup/toolchain.ts';

/** One line of the binary's standard output: runtime/system/native/testing.ts. */
interface Report {
  readonly name: string;
  readonly milliseconds: number;
  readonly failure?: string;
}

export interface NativeRun {
  readonly reports: readonly Report[];
  readonly exitCode: number | undefined;
  readonly stderr: string;
}

/** Where a binary is built and run: `host` in place of the product's, and variables of its own. */
export interface NativeStage {
  readonly scratch: string;
  /** Whose tests; all of them unless said. */
  readonly rooms?: readonly string[];
  readonly host?: NativeHost;
  readonly env?: Readonly<Record<string, string>>;
}

/** Mount, network and PID namespaces of its own; the binary is PID 1 there, and all ends with it. */
export const ALONE = ['-mnp', '--fork', '--kill-child', '--mount-proc'];
const ROOMS = ['proto', 'cni', 'runtime'];
const POLYFILL = resolve('runtime/system/native/polyfill.ts');
const SYS = resolve('runtime/system/native/sys.ts');

/** Builds a program of these lines of TypeScript, imports and what it does, and returns the path of the binary. */
export async function buildProgram(stage: NativeStage, name: string, lines: readonly string[]): Promise<string> {
  const entry = join(stage.scratch, `${name}.ts`);
  const output = join(stage.scratch, name);
  const isImport = (line: string): boolean => line.startsWith('import ');
  const imports = [`import '${POLYFILL}';`, `import { sys } from '${SYS}';`, ...lines.filter(isImport)];
  const body = ['sys.main = () => void main();', 'async function main(): Promise<void> {', ...lines, '}'];
  await writeFile(entry, [...imports, ...body.filter((line) => !isImport(line))].join('\n'));
  await buildNative({ entry, output }, await ensureToolchain(), stage.host);
  return output;
}

/** Runs every *.native-test.ts of the rooms inside one binary. */
export async function runNativeTests(stage: NativeStage): Promise<NativeRun> {
  const imports = (await findTests(stage.rooms ?? ROOMS)).map((path) => `import '${path}';`);
  const testing = resolve('runtime/system/native/testing.ts');
  const lines = [`import { runNativeTests } from '${testing}';`, ...imports, 'await runNativeTests();'];
  const binary = await buildProgram(stage, 'native-tests', lines);
  const directory = await mkdtemp(join(stage.scratch, 'run-'));
  const options = { reject: false, timeout: 180_000, env: { ...stage.env } } as const;
  const { stdout, stderr, exitCode } = await execa('unshare', [...ALONE, binary, 'test', directory], options);
  const reports = stdout.split('\n').filter((line) => line.startsWith('{'));
  return { reports: reports.map((line): Report => JSON.parse(line)), exitCode, stderr };
}

async function findTests(rooms: readonly string[]): Promise<string[]> {
  const names = await Promise.all(
    rooms.map(async (room) => (await readdir(room, { recursive: true })).map((name) => resolve(room, name))),
  );
  return names.flat().filter((name) => name.endsWith('.native-test.ts'));
}
