import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/**
 * One of the container's outputs. The read end is opened first, non-blocking, so that it waits for nobody; then a write
 * end of our own, so that the end of the stream comes when we say so and not when a writer happens to be absent.
 */
export class OutputFifo {
  private readonly path: string;
  private readonly sink: Writable;
  private source: Socket;
  private ownWriter: number | undefined;
  private end: Promise<void>;
  private readBytes = 0;
  private isSinkBroken = false;

  constructor(path: string, sink: Writable) {
    this.path = path;
    this.sink = sink;
    [this.source, this.end] = this.open();
    // `berth run ... | head`: the container must not hang because nobody reads any more.
    sink.once('error', () => {
      this.isSinkBroken = true;
      this.source.unpipe(sink).resume();
    });
  }

  /** Resolves when the last byte is with the sink; the last writer has gone then. */
  get ended(): Promise<void> {
    return this.end;
  }

  /** Idempotent. */
  expectEnd(): void {
    if (this.ownWriter !== undefined) closeSync(this.ownWriter);
    this.ownWriter = undefined;
  }

  /** Call when the writer is gone and another is to come: resolves with the bytes of all writers so far. */
  async awaitNextWriter(): Promise<number> {
    this.expectEnd();
    await this.end;
    [this.source, this.end] = this.open();
    return this.readBytes;
  }

  private open(): [Socket, Promise<void>] {
    const fd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    const source = new Socket({ fd, writable: false });
    this.ownWriter = openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK);
    source.on('data', (chunk: Buffer) => {
      this.readBytes += chunk.length;
    });
    if (this.isSinkBroken) source.resume();
    else source.pipe(this.sink, { end: false });
    const end = new Promise<void>((resolve, reject) => {
      source.once('end', () => this.sink.write('', () => resolve()));
      source.once('error', reject);
    });
    return [source, end];
  }
}
