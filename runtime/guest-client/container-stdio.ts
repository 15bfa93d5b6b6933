import { STDERR, STDIN, STDOUT, type StreamNumber } from '../../proto/stdio-frame.ts';
import type { StdioMux } from '../system/channel/stdio-mux.ts';
import type { Log } from '../system/log.ts';
import type { ByteStream } from '../system/port.ts';

/** The host's ends of a container's streams; undefined: no input, output discarded. */
export interface HostStreams {
  readonly stdin: ByteStream | undefined;
  readonly stdout: ByteStream | undefined;
  readonly stderr: ByteStream | undefined;
}

export interface ContainerStdio {
  /** Resolves when stdout and stderr have ended and all of them is with the host's ends, or one of the two is gone. */
  readonly outputDone: Promise<void>;
  /** To be called once, when the container exists: before, the guest would drop what comes. */
  beginInput(): void;
  /** Nobody reads the input any more. Idempotent. */
  closeInput(): void;
  /** Gives up whatever is on the way. Idempotent. */
  close(): void;
}

/**
 * Couples a container's streams on the stdio channel with the host's, which it owns from here on. Call it before the
 * container exists: either side drops what arrives for a stream that is not open.
 */
export function coupleStdio(mux: StdioMux, stdioId: number, host: HostStreams, log: Log): ContainerStdio {
  const outputs = [copyOut(mux, stdioId, STDOUT, host.stdout, log), copyOut(mux, stdioId, STDERR, host.stderr, log)];
  return {
    outputDone: Promise.all(outputs).then(() => {}),
    beginInput: () => void copyIn(mux, stdioId, host.stdin, log),
    closeInput: () => host.stdin?.close(),
    close() {
      for (const stream of [host.stdin, host.stdout, host.stderr]) stream?.close();
    },
  };
}

async function copyOut(
  mux: StdioMux,
  stdioId: number,
  stream: StreamNumber,
  sink: ByteStream | undefined,
  log: Log,
): Promise<void> {
  const receiver = mux.receiver(stdioId, stream);
  try {
    for (let chunk = await receiver.read(); chunk !== undefined; chunk = await receiver.read())
      await sink?.write(chunk);
  } catch (error) {
    log.warn('output given up', { stdioId, stream, error });
    // The container must not hang on a stream that nobody takes.
    mux.discard(stdioId, stream);
  } finally {
    sink?.close();
  }
}

async function copyIn(mux: StdioMux, stdioId: number, source: ByteStream | undefined, log: Log): Promise<void> {
  const sender = mux.sender(stdioId, STDIN);
  try {
    for (let chunk = await source?.read(); chunk !== undefined; chunk = await source?.read()) await sender.send(chunk);
  } catch (error) {
    log.debug('input given up', { stdioId, error });
  } finally {
    sender.end();
    source?.close();
  }
}
