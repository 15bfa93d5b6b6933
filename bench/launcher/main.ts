import '../../runtime/system/native/polyfill.ts';
import { readProcessIdentity } from '../../runtime/system/native/process-identity.ts';
import { sys } from '../../runtime/system/native/sys.ts';
import type { LaunchAnswer, LaunchRequest } from './protocol.ts';

const STDIN = 0;
const STDOUT = 1;
/** What a pipe holds by itself (pipe(7)): who writes less needs no reader meanwhile. */
const PIPE_BYTES = 64 << 10;
const POLL_MS = 1;
/** write(1, ...) in /proc/PID/task/TID/syscall on x86-64. */
const WRITING_STDOUT = '1 0x1 ';

/**
 * Runs programs and times them, one after another, until its input ends. It is a static binary for what it does not do:
 * a Node parent takes a millisecond to spawn and adds most of the noise. What remains of its own is in every figure.
 */
async function main(): Promise<void> {
  for (const line of lines()) {
    const answer = await launch(JSON.parse(line));
    writeAll(STDOUT, sys.utf8Encode(`${JSON.stringify(answer)}\n`));
  }
  sys.exit(0);
}

async function launch({ argv, env, stdin, wants }: LaunchRequest): Promise<LaunchAnswer> {
  const input = filledPipe(sys.utf8Encode(stdin));
  const held = wants === 'peak' ? PIPE_BYTES : 0;
  const output = filledPipe(new Uint8Array(held));
  const errors = filledPipe(new Uint8Array(0));
  sys.close(input.writeEnd);
  const startMs = sys.now();
  const pid = sys.spawn({ argv, env, fds: [input.readEnd, output.writeEnd, errors.writeEnd] });
  for (const fd of [input.readEnd, output.writeEnd, errors.writeEnd]) sys.close(fd);
  const peakKib = wants === 'peak' ? await peakAtFirstWrite(pid) : 0;
  if (held > 0) sys.read(output.readEnd, new Uint8Array(held));
  const exit = sys.waitpid(pid, 0);
  const milliseconds = sys.now() - startMs;
  const [printed, complaint] = [readToEnd(output.readEnd), readToEnd(errors.readEnd)];
  return { milliseconds, peakKib, exitCode: exit?.code ?? -1, stdout: printed, stderr: complaint };
}

/** Full of `data`, so that whoever writes more must wait. */
function filledPipe(data: Uint8Array): { readEnd: number; writeEnd: number } {
  const [readEnd, writeEnd] = sys.pipe();
  if (data.length > 0) writeAll(writeEnd, data);
  return { readEnd, writeEnd };
}

/** When one of its threads is held up in writing the result: by then it has needed what it needs. 0 if it just ends. */
async function peakAtFirstWrite(pid: number): Promise<number> {
  while (!isWritingStdout(pid)) {
    if (readProcessIdentity(pid) === undefined) return 0;
    await new Promise<void>((resolve) => setTimeout(resolve, POLL_MS));
  }
  const status = sys.utf8Decode(sys.readFile(`/proc/${pid}/status`));
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}

function isWritingStdout(pid: number): boolean {
  const threads = sys.readdir(`/proc/${pid}/task`);
  return threads.some((thread) =>
    sys.utf8Decode(sys.readFile(`/proc/${pid}/task/${thread}/syscall`)).startsWith(WRITING_STDOUT),
  );
}

function* lines(): Generator<string> {
  const chunk = new Uint8Array(PIPE_BYTES);
  let pending = '';
  for (let count = sys.read(STDIN, chunk); count > 0; count = sys.read(STDIN, chunk)) {
    const parts = (pending + sys.utf8Decode(chunk.subarray(0, count))).split('\n');
    pending = parts.pop() ?? '';
    yield* parts;
  }
}

function readToEnd(fd: number): string {
  const chunk = new Uint8Array(PIPE_BYTES);
  let text = '';
  for (let count = sys.read(fd, chunk); count > 0; count = sys.read(fd, chunk)) {
    text += sys.utf8Decode(chunk.subarray(0, count));
  }
  sys.close(fd);
  return text;
}

function writeAll(fd: number, data: Uint8Array): void {
  for (let offset = 0; offset < data.length; ) offset += sys.write(fd, data, offset);
}

sys.main = () => void main();
