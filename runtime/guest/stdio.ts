import { STDERR, STDIN, STDOUT } from '../../proto/stdio-frame.ts';
import type { StdioMux } from '../system/channel/stdio-mux.ts';
import type { StdioReceiver } from '../system/channel/stdio-receiver.ts';
import type { StdioSender } from '../system/channel/stdio-sender.ts';
import type { Log } from '../system/log.ts';
import { createStream } from '../system/native/stream.ts';
import { sys } from '../system/native/sys.ts';
import type { ByteStream } from '../system/port.ts';
import type { Undo } from '../system/undo.ts';

/** The container's standard streams: pipes in the guest, carried to and from the host by the stdio channel. */
export interface ContainerStdio {
  /** Descriptors 0, 1 and 2 of the container; to be closed once it has them. */
  readonly theirs: readonly number[];
  /** Resolves when the host has acknowledged all output, ends included. */
  drained(): Promise<void>;
  /** The container is gone: closes its input, and forgets the streams as soon as the output is drained. */
  release(): void;
}

export function openStdio(mux: StdioMux, stdioId: number, log: Log, undo: Undo): ContainerStdio {
  const [stdin, stdout, stderr] = [sys.pipe(), sys.pipe(), sys.pipe()];
  const outputs = [
    { stream: createStream(stdout[0], 'stdout of the container'), sender: mux.sender(stdioId, STDOUT) },
    { stream: createStream(stderr[0], 'stderr of the container'), sender: mux.sender(stdioId, STDERR) },
  ];
  const input = createStream(stdin[1], 'stdin of the container');
  undo.defer(`streams ${stdioId}`, () => {
    for (const stream of [input, ...outputs.map((output) => output.stream)]) stream.close();
    mux.forget(stdioId);
  });
  for (const { stream, sender } of outputs) {
    carryOut(stream, sender).catch((error: unknown) => log.debug('output is carried no further', { stdioId, error }));
  }
  carryIn(mux.receiver(stdioId, STDIN), input).catch((error: unknown) => {
    // The container reads no more; the host need not wait for it.
    log.debug('input is carried no further', { stdioId, error });
    input.close();
    mux.discard(stdioId, STDIN);
  });
  const drained = async (): Promise<void> => {
    await Promise.all(outputs.map(({ sender }) => sender.drained()));
  };
  return {
    theirs: [stdin[0], stdout[1], stderr[1]],
    drained,
    release() {
      mux.discard(stdioId, STDIN);
      const forget = (): void => mux.forget(stdioId);
      drained().then(forget, forget);
    },
  };
}

async function carryOut(stream: ByteStream, sender: StdioSender): Promise<void> {
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) await sender.send(bytes);
  } finally {
    stream.close();
    sender.end();
  }
}

async function carryIn(receiver: StdioReceiver, stream: ByteStream): Promise<void> {
  for (let bytes = await receiver.read(); bytes !== undefined; bytes = await receiver.read()) await stream.write(bytes);
  stream.close();
}
