import { Fault } from '../../../proto/fault.ts';
import type { ByteStream, Command, Completed } from '../port.ts';
import { spawnChild, toEnvironmentList, toExitCode } from './process.ts';
import { createStream } from './stream.ts';
import { EAGAIN, SIG, sys } from './sys.ts';

const READ_BYTES = 64 * 1024;
/** At most this much at once: another program's output must not hold up the loop. */
const READS_PER_TURN = 16;
const STDERR_TAIL_BYTES = 2000;
const scratch = new Uint8Array(READ_BYTES);

export interface NativeCommand extends Command {
  /** Open files of this process that the child gets as descriptors 3, 4, ... */
  readonly descriptors?: readonly number[];
}

/** Runs a program to its end, as `System.run` says. */
export async function run(command: NativeCommand): Promise<Completed> {
  const { file, args, env, cwd, timeoutMs, descriptors = [] } = command;
  const [stdin, stdout, stderr] = [command.stdin && sys.pipe(), sys.pipe(), sys.pipe()];
  const fds = [stdin?.[0] ?? -1, stdout[1], stderr[1]];
  // The pipe is full before there is a reader: one that outlives a killed parent has had all that a pipe holds, and the end.
  const input = stdin === undefined ? undefined : feed(stdin[1], command.stdin, file);
  const abandon = (): void => {
    input?.close();
    for (const fd of [stdout[0], stderr[0]]) sys.close(fd);
  };
  const child = spawnWith(fds, abandon, () =>
    spawnChild({
      argv: [file, ...args],
      fds: [...fds, ...descriptors],
      ...(env === undefined ? {} : { env: toEnvironmentList(env) }),
      ...(cwd === undefined ? {} : { cwd }),
    }),
  );
  const outputs = [new Collector(stdout[0]), new Collector(stderr[0])] as const;
  let isLate = false;
  const kill = (): void => {
    isLate = true;
    sys.kill(child.pid, SIG.KILL);
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(kill, timeoutMs);
  const exit = await child.exited;
  clearTimeout(timer);
  input?.close();
  const completed = { exitCode: toExitCode(exit), stdout: outputs[0].finish(), stderr: outputs[1].finish() };
  if (isLate) throw timeoutFault(file, timeoutMs ?? 0, completed.stderr);
  return completed;
}

/** Spawns, then closes the child's ends; if it fails, `abandon` closes ours as well. */
function spawnWith<T>(theirs: readonly number[], abandon: () => void, spawn: () => T): T {
  try {
    return spawn();
  } catch (error) {
    abandon();
    throw error;
  } finally {
    for (const fd of theirs) if (fd >= 0) sys.close(fd);
  }
}

/** Writes standard input while the program runs; one that does not read it is its own matter. */
function feed(fd: number, data: Uint8Array | undefined, file: string): ByteStream {
  const stream = createStream(fd, `standard input of ${file}`);
  const done = (): void => stream.close();
  stream.write(data ?? new Uint8Array(0)).then(done, done);
  return stream;
}

/** Gathers what comes out of a pipe while the program runs. */
class Collector {
  private readonly fd: number;
  private readonly parts: Uint8Array[] = [];
  private isOpen = true;

  constructor(fd: number) {
    this.fd = fd;
    sys.setNonBlocking(fd);
    sys.watch(fd, () => this.drain(), null);
  }

  /**
   * What there is when the program has ended. Its own output is in the pipe then (at most 1 MiB, the largest pipe); a
   * daemon that it left behind may hold the pipe open for ever and is not waited for.
   */
  finish(): Uint8Array {
    this.drain();
    this.close();
    return concatenate(this.parts);
  }

  private drain(): void {
    for (let turn = 0; this.isOpen && turn < READS_PER_TURN; turn += 1) {
      const length = sys.read(this.fd, scratch);
      if (length === EAGAIN) return;
      if (length === 0) this.close();
      else this.parts.push(scratch.slice(0, length));
    }
  }

  private close(): void {
    if (this.isOpen) sys.close(this.fd);
    this.isOpen = false;
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function timeoutFault(file: string, timeoutMs: number, stderr: Uint8Array): Fault {
  const tail = new TextDecoder().decode(stderr.subarray(-STDERR_TAIL_BYTES)).trim();
  return new Fault('timeout', `${file} did not end within ${timeoutMs} ms and was killed`, {
    fields: { file, timeoutMs, stderr: tail },
  });
}
