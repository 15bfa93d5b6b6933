import { describeError } from '../../../proto/fault.ts';
import { isErrno } from './errors.ts';
import { sys } from './sys.ts';

/** Tests that run inside the static binary; test/host/native.test.ts gathers, runs and reports them. */
interface NativeTest {
  readonly name: string;
  /** `directory` is empty and the test's own. */
  readonly body: (directory: string) => Promise<void> | void;
}

/** One line of standard output for each test; without `failure` it passed. */
interface NativeTestReport {
  readonly name: string;
  readonly milliseconds: number;
  readonly failure?: string;
}

const TEST_TIMEOUT_MS = 20_000;
const tests: NativeTest[] = [];
const programs = new Map<string, (args: readonly string[]) => Promise<void> | void>();

export function nativeTest(name: string, body: NativeTest['body']): void {
  tests.push({ name, body });
}

/** What a test starts as another process of this binary, with `testProgram`. */
export function nativeProgram(name: string, main: (args: readonly string[]) => Promise<void> | void): void {
  programs.set(name, main);
}

/** The argv of a program that was registered. */
export const testProgram = (name: string, ...args: string[]): string[] => ['/proc/self/exe', 'program', name, ...args];

/**
 * `program NAME ARGS...` runs a registered program, `test DIRECTORY` all tests one after another.
 * @public Called by the entry file that test/host/native.test.ts generates.
 */
export async function runNativeTests(): Promise<void> {
  const [, mode, name = '', ...args] = sys.args();
  if (mode === 'program') return programs.get(name)?.(args);
  await runTests(name);
  // Also while something is still waited for: orphans are, once adopted.
  sys.exit(0);
}

async function runTests(scratch: string): Promise<void> {
  for (const [index, test] of tests.entries()) {
    const directory = `${scratch}/${index}`;
    sys.mkdir(directory, 0o700);
    const startMs = sys.now();
    const failure = await outcome(test, directory);
    const milliseconds = Math.round(sys.now() - startMs);
    const report: NativeTestReport = { name: test.name, milliseconds, ...(failure === undefined ? {} : { failure }) };
    print(`${JSON.stringify(report)}\n`);
  }
}

export function expect(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Error(`broken: ${promise}`);
}

/** Equal as JSON. */
export function expectEqual(actual: unknown, expected: unknown): void {
  const [have, want] = [JSON.stringify(actual), JSON.stringify(expected)];
  expect(have === want, `expected ${want}, got ${have}`);
}

/** `body` throws something that has this `code`: a Fault's, or an errno name, also of a Fault's cause. */
export async function expectThrows(code: string, body: () => unknown): Promise<unknown> {
  let thrown: unknown;
  try {
    await body();
  } catch (error) {
    thrown = error;
  }
  const own = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  expect(own === code || isErrno(thrown, code), `expected ${code}, got ${thrown === undefined ? 'no error' : thrown}`);
  return thrown;
}

async function outcome(test: NativeTest, directory: string): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${TEST_TIMEOUT_MS} ms`)), TEST_TIMEOUT_MS);
  });
  try {
    await Promise.race([test.body(directory), timeout]);
    return undefined;
  } catch (error) {
    return `${describeError(error)}\n${error instanceof Error ? error.stack : ''}`;
  } finally {
    clearTimeout(timer);
  }
}

function print(line: string): void {
  const data = new TextEncoder().encode(line);
  for (let offset = 0; offset < data.length; ) offset += sys.write(1, data, offset);
}
