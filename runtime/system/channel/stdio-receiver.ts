import { Fault } from '../../../proto/fault.ts';
import { WINDOW_BYTES } from '../../../proto/stdio-frame.ts';
import { Wake } from './wake.ts';

/** The receiving end of one stream: holds what its consumer has not asked for yet, at most WINDOW_BYTES. */
export class StdioReceiver {
  private readonly acknowledge: (offset: number) => void;
  private readonly changed = new Wake();
  private chunks: Uint8Array[] = [];
  private receivedOffset: number;
  /** Everything below was handed on by the consumer; beyond the end by one once the consumer has seen the end. */
  private handedOnOffset: number;
  /** Bytes that read() has given out and the consumer may still be busy with. */
  private givenOutBytes = 0;
  private hasEnd = false;
  private isDiscarded = false;
  private failure: Fault | undefined;

  /** Bytes below `startOffset` were handed on by another process. */
  constructor(acknowledge: (offset: number) => void, startOffset: number) {
    this.acknowledge = acknowledge;
    this.receivedOffset = startOffset;
    this.handedOnOffset = startOffset;
  }

  /**
   * The next bytes, at least one; undefined at the end. Asking says that what was given before has been handed on: only
   * then is it acknowledged. One read at a time.
   */
  async read(): Promise<Uint8Array | undefined> {
    this.handOn(this.givenOutBytes);
    this.givenOutBytes = 0;
    for (;;) {
      const chunk = this.chunks.shift();
      if (chunk !== undefined) {
        this.givenOutBytes = chunk.length;
        return chunk;
      }
      // Of its end the peer may know nothing yet: discard() has acknowledged what there is.
      if (this.isDiscarded) return undefined;
      if (this.hasEnd) {
        this.handOn(this.receivedOffset + 1 - this.handedOnOffset);
        return undefined;
      }
      if (this.failure !== undefined) throw this.failure;
      await this.changed.wait();
    }
  }

  /** Bytes from the channel. What came before is dropped; throws `malformed` on a gap and on more than the window. */
  push(offset: number, data: Uint8Array): void {
    this.checkOffset(offset);
    const known = this.receivedOffset - offset;
    if (known >= data.length) {
      this.acknowledge(this.handedOnOffset);
      return;
    }
    this.checkOpen();
    this.chunks.push(known === 0 ? data : data.subarray(known));
    this.receivedOffset = offset + data.length;
    if (this.receivedOffset - this.handedOnOffset > WINDOW_BYTES) {
      throw new Fault('malformed', `stdio channel: more than ${WINDOW_BYTES} bytes unacknowledged`);
    }
    this.changed.wake();
  }

  /** The stream ends at `offset`. */
  pushEnd(offset: number): void {
    this.checkOffset(offset);
    if (offset < this.receivedOffset) throw new Fault('malformed', `stdio channel: end before byte ${offset}`);
    if (this.hasEnd) this.acknowledge(this.handedOnOffset);
    this.hasEnd = true;
    this.changed.wake();
  }

  /** Tells the peer again how far this end is: the channel is a new one. */
  restart(): void {
    if (this.handedOnOffset > 0) this.acknowledge(this.handedOnOffset);
  }

  /** The consumer is gone: what is here is dropped and acknowledged, a pending read ends. */
  discard(): void {
    this.chunks = [];
    this.givenOutBytes = 0;
    const endBytes = this.hasEnd ? 1 : 0;
    this.hasEnd = true;
    this.isDiscarded = true;
    this.handOn(this.receivedOffset + endBytes - this.handedOnOffset);
    this.changed.wake();
  }

  /** Nothing comes any more: what is here can still be read, then reads throw `failure`. */
  fail(failure: Fault): void {
    this.failure ??= failure;
    this.changed.wake();
  }

  private handOn(bytes: number): void {
    if (bytes <= 0) return;
    this.handedOnOffset += bytes;
    this.acknowledge(this.handedOnOffset);
  }

  private checkOffset(offset: number): void {
    if (offset > this.receivedOffset) {
      throw new Fault('malformed', `stdio channel: byte ${offset} where ${this.receivedOffset} was expected`);
    }
  }

  private checkOpen(): void {
    if (this.hasEnd) throw new Fault('malformed', 'stdio channel: bytes after the end of their stream');
  }
}
