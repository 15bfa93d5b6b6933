import { Fault } from '../../../proto/fault.ts';
import { MAX_DATA_BYTES, type StdioFrame, type StreamNumber, WINDOW_BYTES } from '../../../proto/stdio-frame.ts';
import { Wake } from './wake.ts';

interface Chunk {
  readonly offset: number;
  readonly data: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/**
 * The sending end of one stream: keeps what the peer has not acknowledged, so that it can be sent again. Offsets count
 * from the start of the stream; the end takes one, as a byte would, so that it can be acknowledged too.
 */
export class StdioSender {
  private readonly stdioId: number;
  private readonly stream: StreamNumber;
  private readonly due: () => void;
  private readonly changed = new Wake();
  /** Unacknowledged, each small enough for one frame. */
  private chunks: Chunk[] = [];
  /** Index in `chunks` of what is sent next. */
  private next = 0;
  private acceptedOffset = 0;
  private acknowledgedOffset = 0;
  private hasEnd = false;
  private isEndSent = false;
  /** While the peer is asked how much it has; then, up to where it may have bytes of an earlier sender. */
  private locating: 'asking' | 'asked' | undefined;
  private foreseenOffset = 0;
  private failure: Fault | undefined;

  /** `due` is called whenever nextFrame() may have something that it had not before. */
  constructor(stdioId: number, stream: StreamNumber, due: () => void) {
    this.stdioId = stdioId;
    this.stream = stream;
    this.due = due;
  }

  /**
   * For a stream that another process began to send: resolves with what the peer has handed on, and the stream goes on
   * from there. Comes before the first send().
   */
  async locate(): Promise<number> {
    this.locating = 'asking';
    this.due();
    while (this.locating !== undefined) {
      this.throwFailure();
      await this.changed.wait();
    }
    return this.acknowledgedOffset;
  }

  /**
   * Resolves when all of `data` lies in the window: not yet with the peer, but the caller may go on. The bytes are kept,
   * not copied: the caller leaves them alone. One send at a time.
   */
  async send(data: Uint8Array): Promise<void> {
    if (this.hasEnd) throw new Fault('internal', 'stdio stream: send after end');
    for (let offset = 0; offset < data.length; ) {
      const room = this.acknowledgedOffset + WINDOW_BYTES - this.acceptedOffset;
      this.throwFailure();
      if (room > 0) {
        const end = Math.min(data.length, offset + Math.min(room, MAX_DATA_BYTES));
        this.chunks.push({ offset: this.acceptedOffset, data: data.subarray(offset, end) });
        this.acceptedOffset += end - offset;
        offset = end;
        this.due();
      } else {
        await this.changed.wait();
      }
    }
  }

  /** Nothing follows. Idempotent. */
  end(): void {
    this.hasEnd = true;
    this.due();
  }

  /** Resolves when the peer has acknowledged everything, the end included. */
  async drained(): Promise<void> {
    while (!this.isDrained) {
      this.throwFailure();
      await this.changed.wait();
    }
  }

  /** Takes the next frame to put on the channel; undefined when there is none for now. */
  nextFrame(): StdioFrame | undefined {
    const frame = { stdioId: this.stdioId, stream: this.stream };
    if (this.locating !== undefined) return this.askPeer();
    const chunk = this.chunks[this.next];
    if (chunk !== undefined) {
      this.next += 1;
      return { kind: 'data', ...frame, offset: chunk.offset, data: chunk.data };
    }
    if (!this.hasEnd || this.isEndSent) return undefined;
    this.isEndSent = true;
    return { kind: 'end', ...frame, offset: this.acceptedOffset, data: NOTHING };
  }

  /** The peer has handed on everything below `offset`. Throws `malformed` if it cannot have. */
  acknowledge(offset: number): void {
    if (this.locating !== undefined) {
      this.startAt(offset);
      return;
    }
    const accepted = this.hasEnd ? this.acceptedOffset + 1 : this.acceptedOffset;
    const highest = Math.max(accepted, this.foreseenOffset);
    if (offset > highest) throw new Fault('malformed', `stdio channel: byte ${offset} acknowledged of ${highest}`);
    if (offset <= this.acknowledgedOffset) return;
    this.acknowledgedOffset = offset;
    const kept = this.chunks.findIndex((chunk) => chunk.offset + chunk.data.length > offset);
    const done = kept < 0 ? this.chunks.length : kept;
    this.chunks.splice(0, done);
    this.next = Math.max(0, this.next - done);
    this.changed.wake();
  }

  /**
   * The channel is a new one: what was not acknowledged may be lost, so all of it is sent again. The end in any case: the
   * peer may be another process, which was not there when it was acknowledged.
   */
  restart(): void {
    this.next = 0;
    this.isEndSent = false;
    if (this.locating !== undefined) this.locating = 'asking';
    this.due();
  }

  /** Nobody will acknowledge any more: who waits gets `failure`. */
  fail(failure: Fault): void {
    this.failure ??= failure;
    this.changed.wake();
  }

  /** Bytes that the peer knows are answered with what it has handed on: none at all are always known. */
  private askPeer(): StdioFrame | undefined {
    if (this.locating === 'asked') return undefined;
    this.locating = 'asked';
    return { kind: 'data', stdioId: this.stdioId, stream: this.stream, offset: 0, data: NOTHING };
  }

  private startAt(offset: number): void {
    this.locating = undefined;
    this.acceptedOffset = offset;
    this.acknowledgedOffset = offset;
    this.foreseenOffset = offset + WINDOW_BYTES;
    this.due();
    this.changed.wake();
  }

  private get isDrained(): boolean {
    return this.hasEnd && this.acknowledgedOffset > this.acceptedOffset;
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}
