import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { StreamTail } from './stream-tail.ts';

/**
 * More than can be on its way at once: our own queue, the FIFO, what a shim has read, and the window of the stdio channel
 * (proto/stdio-frame.ts).
 */
const KEPT_BYTES = 1 << 20;

/** The container's input. What may not have arrived is kept, for a shim that takes the place of a killed one. */
export class InputFifo {
  private readonly path: string;
  private readonly source: Readable;
  private readonly tail = new StreamTail(KEPT_BYTES);
  private fifo: Socket | undefined;
  private hasEnded = false;

  constructor(path: string, source: Readable) {
    this.path = path;
    this.source = source;
    this.fifo = this.open();
  }

  /** From here on the source is the container's. */
  forward(): void {
    this.source.on('data', (chunk: Buffer) => {
      this.tail.push(chunk);
      this.write(chunk);
    });
    const end = (): void => {
      this.hasEnded = true;
      this.finish();
    };
    this.source.once('end', end);
    this.source.once('error', end);
  }

  /** Call when the reader is gone: the FIFO loses what is in it. Resolves when it has. */
  async suspend(): Promise<void> {
    const { fifo } = this;
    this.fifo = undefined;
    this.source.pause();
    if (fifo === undefined || fifo.closed) return;
    fifo.destroy();
    await once(fifo, 'close');
  }

  /** Call when there is a reader again; whoever had the input before has this much of it, its end counted as a byte. */
  resume(arrivedBytes: number): void {
    if (arrivedBytes > this.tail.endOffset) return;
    this.fifo = this.open();
    const isSource = this.source.listenerCount('data') > 0;
    for (const chunk of this.tail.from(arrivedBytes)) this.fifo.write(chunk);
    if (this.hasEnded) this.finish();
    else if (isSource) this.source.resume();
  }

  close(): void {
    this.fifo?.destroy();
  }

  private write(chunk: Buffer): void {
    const { fifo } = this;
    if (fifo === undefined) return;
    if (fifo.write(chunk)) return;
    this.source.pause();
    fifo.once('drain', () => this.source.resume());
  }

  /** end() would try to shut down a socket that a FIFO is not; the callback of the last write says the same. */
  private finish(): void {
    const { fifo } = this;
    fifo?.write('', () => fifo.destroy());
  }

  /** Read-write, because a write end alone cannot be opened before there is a reader. */
  private open(): Socket {
    const fd = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK);
    const fifo = new Socket({ fd, readable: false, writable: true });
    fifo.once('error', () => this.source.pause());
    return fifo;
  }
}
