import type { ByteStream } from '../port.ts';

/** `stream`, with bytes that were read from it too early put back in front. */
export function prefixedStream(prefix: Uint8Array, stream: ByteStream): ByteStream {
  let pending: Uint8Array | undefined = prefix.length > 0 ? prefix : undefined;
  return {
    read(): Promise<Uint8Array | undefined> {
      if (pending === undefined) return stream.read();
      const first = pending;
      pending = undefined;
      return Promise.resolve(first);
    },
    write: (data) => stream.write(data),
    close(): void {
      pending = undefined;
      stream.close();
    },
  };
}
