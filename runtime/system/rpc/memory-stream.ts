import { Fault } from '../../../proto/fault.ts';
import type { ByteStream } from '../port.ts';

/** Two ends of a connection in memory, for tests: what one end writes, the other reads. */
export function memoryStreams(): readonly [ByteStream, ByteStream] {
  const forth = new Pipe();
  const back = new Pipe();
  return [end(forth, back), end(back, forth)];
}

function end(out: Pipe, incoming: Pipe): ByteStream {
  return {
    read: () => incoming.read(),
    async write(data) {
      if (out.closed) throw new Fault('io', 'the peer is gone');
      out.push(data);
    },
    close() {
      out.close();
      incoming.close();
    },
  };
}

class Pipe {
  closed = false;
  private readonly chunks: Uint8Array[] = [];
  private waiting: ((chunk: Uint8Array | undefined) => void) | undefined;

  push(data: Uint8Array): void {
    if (data.length > 0) this.chunks.push(data.slice());
    this.serve();
  }

  close(): void {
    this.closed = true;
    this.serve();
  }

  read(): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.serve();
    });
  }

  private serve(): void {
    if (this.waiting === undefined || (this.chunks.length === 0 && !this.closed)) return;
    const resolve = this.waiting;
    this.waiting = undefined;
    resolve(this.chunks.shift());
  }
}
