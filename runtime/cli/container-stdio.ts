import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';

/** The container's standard streams as FIFOs in a private directory, the way containerd hands them to a shim. */
export interface ContainerStdio {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** From here on the own standard input is the container's. */
  forwardStdin(): void;
  /** Call when nobody writes any more: resolves when the last byte is on the own stdout and stderr. */
  drained(): Promise<void>;
  /** Idempotent. */
  remove(): Promise<void>;
}

interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Opens everything without waiting for the other side: see openOutput and openInput. */
export async function openContainerStdio(streams: Streams = process): Promise<ContainerStdio> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-stdio-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const paths = {
      stdin: join(directory, 'stdin'),
      stdout: join(directory, 'stdout'),
      stderr: join(directory, 'stderr'),
    };
    await execa('mkfifo', ['-m', '600', ...Object.values(paths)]);
    const outputs = [openOutput(paths.stdout, streams.stdout), openOutput(paths.stderr, streams.stderr)];
    const input = openInput(paths.stdin);
    return {
      ...paths,
      forwardStdin: () => forward(streams.stdin, input),
      async drained() {
        for (const output of outputs) output.expectEnd();
        await Promise.all(outputs.map((output) => output.ended));
      },
      async remove() {
        input.destroy();
        for (const output of outputs) output.expectEnd();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Output {
  readonly ended: Promise<void>;
  /** Idempotent. */
  expectEnd(): void;
}

/**
 * The read end is opened first, non-blocking, so that it waits for nobody; then a write end of our own, so that the
 * end of the stream comes when we say so and not when a writer happens to be absent.
 */
function openOutput(path: string, sink: Writable): Output {
  const source = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
  let ownWriter: number | undefined = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  source.pipe(sink, { end: false });
  // `berth run ... | head`: the container must not hang because nobody reads any more.
  sink.once('error', () => source.unpipe(sink).resume());
  return {
    ended: new Promise((resolve, reject) => {
      source.once('end', () => sink.write('', () => resolve()));
      source.once('error', reject);
    }),
    expectEnd() {
      if (ownWriter !== undefined) closeSync(ownWriter);
      ownWriter = undefined;
    },
  };
}

/** Read-write, because a write end alone cannot be opened before there is a reader. */
function openInput(path: string): Socket {
  return new Socket({ fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK), readable: false, writable: true });
}

function forward(source: Readable, input: Socket): void {
  source.pipe(input, { end: false });
  // end() would try to shut down a socket that a FIFO is not; the callback of the last write says the same.
  source.once('end', () => input.write('', () => input.destroy()));
  source.once('error', () => input.destroy());
  input.once('error', () => source.unpipe(input));
}
