import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import { InputFifo } from './input-fifo.ts';
import { OutputFifo } from './output-fifo.ts';
import { prefixLines } from './prefix-lines.ts';

/** A container's standard streams as FIFOs in a private directory, the way containerd hands them to a shim. */
export interface ContainerStdio {
  /** Empty if it has none. */
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** From here on the source of its input is the container's. */
  forwardStdin(): void;
  /** Call when the shim is gone and another is to come: resolves with how much of the outputs was read. */
  awaitNextShim(): Promise<{ readonly stdoutBytes: number; readonly stderrBytes: number }>;
  /** The other is there; this much of the input had arrived before, its end counted as a byte. */
  resumeStdin(arrivedBytes: number): void;
  /** Call when nobody writes any more: resolves when the last byte is with the sinks of its outputs. */
  drained(): Promise<void>;
  /** Idempotent. */
  remove(): Promise<void>;
}

interface Streams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Opens everything without waiting for the other side. */
export async function openContainerStdio(streams: Streams = process): Promise<ContainerStdio> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-stdio-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const paths = {
      stdin: streams.stdin === undefined ? '' : join(directory, 'stdin'),
      stdout: join(directory, 'stdout'),
      stderr: join(directory, 'stderr'),
    };
    await execa('mkfifo', ['-m', '600', ...Object.values(paths).filter((path) => path !== '')]);
    const [stdout, stderr] = [
      new OutputFifo(paths.stdout, streams.stdout),
      new OutputFifo(paths.stderr, streams.stderr),
    ];
    const outputs = [stdout, stderr];
    const input = streams.stdin === undefined ? undefined : new InputFifo(paths.stdin, streams.stdin);
    return {
      ...paths,
      forwardStdin: () => input?.forward(),
      async awaitNextShim() {
        await input?.suspend();
        const [stdoutBytes, stderrBytes] = await Promise.all([stdout.awaitNextWriter(), stderr.awaitNextWriter()]);
        return { stdoutBytes, stderrBytes };
      },
      resumeStdin: (arrivedBytes) => input?.resume(arrivedBytes),
      async drained() {
        for (const output of outputs) output.expectEnd();
        await Promise.all(outputs.map((output) => output.ended));
      },
      async remove() {
        input?.close();
        for (const output of outputs) output.expectEnd();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Of a container beside the main one: no input, and every line of its outputs goes to `sink` behind its name. */
export async function openSidecarStdio(name: string, sink: Writable = process.stderr): Promise<ContainerStdio> {
  const [stdout, stderr] = [prefixLines(`${name}: `, sink), prefixLines(`${name}: `, sink)];
  const stdio = await openContainerStdio({ stdin: undefined, stdout, stderr });
  return {
    ...stdio,
    async drained() {
      await stdio.drained();
      for (const lines of [stdout, stderr]) await new Promise<void>((resolve) => lines.end(() => resolve()));
    },
  };
}
