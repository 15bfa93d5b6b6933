import { STDERR, STDIN, STDOUT, type StreamNumber } from '../../proto/stdio-frame.ts';
import type { StdioMux } from '../system/channel/stdio-mux.ts';
import type { StdioReceiver } from '../system/channel/stdio-receiver.ts';
import type { Log } from '../system/log.ts';
import type { ByteStream } from '../system/port.ts';

/** The host's ends of a container's streams; undefined: no input, output discarded. */
export interface HostStreams {
  readonly stdin: ByteStream | undefined;
  readonly stdout: ByteStream | undefined;
  readonly stderr: ByteStream | undefined;
}

/** How much of each output other shims of this container have handed on, in bytes. */
export interface HandedOn {
  readonly stdout: number;
  readonly stderr: number;
}

export interface ContainerStdio {
  /** Resolves when stdout and stderr have ended and all of them is with the host's ends, or one of the two is gone. */
  readonly outputDone: Promise<void>;
  /** To be called once, when the container exists: before, the guest would drop what comes. */
  beginInput(): void;
  /** The same for a container that had another shim: resolves with how much of its input the guest has handed on. */
  resumeInput(): Promise<number>;
  /** Nobody reads the input any more, nor waits for its end. Idempotent. */
  closeInput(): void;
  /** Gives up whatever is on the way. Idempotent. */
  close(): void;
}

/**
 * Couples a container's streams on the stdio channel with the host's, which it owns from here on. Call it before the
 * container exists: either side drops what arrives for a stream that is not open.
 */
export function coupleStdio(
  mux: StdioMux,
  stdioId: number,
  host: HostStreams,
  log: Log,
  handedOn: HandedOn = { stdout: 0, stderr: 0 },
): ContainerStdio {
  const output = (stream: StreamNumber, sink: ByteStream | undefined, startOffset: number): Promise<void> =>
    copyOut(mux.receiver(stdioId, stream, startOffset), sink, (error) => {
      log.warn('output given up', { stdioId, stream, error });
      // The container must not hang on a stream that nobody takes.
      mux.discard(stdioId, stream);
    });
  const outputs = [output(STDOUT, host.stdout, handedOn.stdout), output(STDERR, host.stderr, handedOn.stderr)];
  let isInputClosed = false;
  const closeInput = (): void => {
    isInputClosed = true;
    host.stdin?.close();
  };
  const input = async (): Promise<void> => {
    await copyIn(mux, stdioId, host.stdin, log);
    // What was closed here has not ended; or its end, of which another shim knows, is with the guest, which takes no second.
    if (!isInputClosed) mux.sender(stdioId, STDIN).end();
  };
  return {
    outputDone: Promise.all(outputs).then(() => {}),
    beginInput: () => void input(),
    async resumeInput() {
      const handedOnBytes = await mux.sender(stdioId, STDIN).locate();
      // No input at all, and the guest has had its end: a second end would come after it.
      if (host.stdin === undefined && handedOnBytes > 0) return handedOnBytes;
      void input();
      return handedOnBytes;
    },
    closeInput,
    close() {
      closeInput();
      for (const stream of [host.stdout, host.stderr]) stream?.close();
    },
  };
}

async function copyOut(
  receiver: StdioReceiver,
  sink: ByteStream | undefined,
  giveUp: (error: unknown) => void,
): Promise<void> {
  try {
    for (let chunk = await receiver.read(); chunk !== undefined; chunk = await receiver.read())
      await sink?.write(chunk);
  } catch (error) {
    giveUp(error);
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
    source?.close();
  }
}
