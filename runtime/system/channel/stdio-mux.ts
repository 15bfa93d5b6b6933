import { Fault } from '../../../proto/fault.ts';
import { encodeStdioFrame, type StdioFrame, StdioFrameDecoder, type StreamNumber } from '../../../proto/stdio-frame.ts';
import type { ByteStream } from '../port.ts';
import { StdioReceiver } from './stdio-receiver.ts';
import { StdioSender } from './stdio-sender.ts';
import { Wake } from './wake.ts';

/** A peer that sends and never takes its acknowledgements would otherwise fill our memory with them. */
const MAX_PENDING_ACKNOWLEDGEMENTS = 4096;
const NOTHING = new Uint8Array(0);

/**
 * The streams of all containers of a pod over one byte stream (proto/stdio-frame.ts), the same at both ends. Streams
 * outlive the byte stream: after a reconnect, attach() the new one, and nothing is lost or doubled.
 *
 * Open a stream before the peer may send on it: frames of a stream that is not open (any more) are acknowledged and
 * dropped, so that a peer never waits for a consumer that is gone.
 */
export class StdioMux {
  private readonly senders = new Map<number, StdioSender>();
  private readonly receivers = new Map<number, StdioReceiver>();
  /** What waits to be written: acknowledgements first, then senders in turn (a Set keeps the order of insertion). */
  private readonly acknowledgements = new Map<number, StdioFrame>();
  private readonly dueSenders = new Set<StdioSender>();
  private readonly due = new Wake();
  private attached: ByteStream | undefined;
  private failure: Fault | undefined;

  /** Opens the sending end, or answers the one that is open. */
  sender(stdioId: number, stream: StreamNumber): StdioSender {
    const open = this.senders.get(keyOf(stdioId, stream));
    if (open !== undefined) return open;
    const sender: StdioSender = new StdioSender(stdioId, stream, () => {
      this.dueSenders.add(sender);
      this.due.wake();
    });
    if (this.failure !== undefined) sender.fail(this.failure);
    this.senders.set(keyOf(stdioId, stream), sender);
    return sender;
  }

  /** Opens the receiving end, or answers the one that is open. What comes below `startOffset` is dropped. */
  receiver(stdioId: number, stream: StreamNumber, startOffset = 0): StdioReceiver {
    const open = this.receivers.get(keyOf(stdioId, stream));
    if (open !== undefined) return open;
    const receiver = new StdioReceiver((offset) => this.acknowledge(stdioId, stream, offset), startOffset);
    if (this.failure !== undefined) receiver.fail(this.failure);
    this.receivers.set(keyOf(stdioId, stream), receiver);
    return receiver;
  }

  /** The consumer of a stream is gone: what came and what comes is acknowledged and dropped. */
  discard(stdioId: number, stream: StreamNumber): void {
    this.receivers.get(keyOf(stdioId, stream))?.discard();
    this.receivers.delete(keyOf(stdioId, stream));
  }

  /** Drops all streams of the id; whoever waits for one of its senders gets a Fault. */
  forget(stdioId: number): void {
    for (const stream of [0, 1, 2] as const) {
      this.discard(stdioId, stream);
      const sender = this.senders.get(keyOf(stdioId, stream));
      if (sender === undefined) continue;
      sender.fail(new Fault('io', 'stdio stream: closed before its peer had acknowledged it'));
      this.senders.delete(keyOf(stdioId, stream));
      this.dueSenders.delete(sender);
    }
  }

  /**
   * Carries the streams over `stream` until it ends; closes the one attached before. Throws `malformed` when the peer
   * breaks the protocol. The streams stay as they are and wait for the next attach().
   */
  async attach(stream: ByteStream): Promise<void> {
    this.attached?.close();
    this.attached = stream;
    for (const receiver of this.receivers.values()) receiver.restart();
    for (const sender of this.senders.values()) sender.restart();
    const writing = this.writeFrames(stream).catch(() => stream.close());
    try {
      await this.readFrames(stream);
    } finally {
      stream.close();
      if (this.attached === stream) this.attached = undefined;
      this.due.wake();
      await writing;
    }
  }

  /** The peer is gone for good: whoever waits for it, now or later, gets `reason`. What was received can still be read. */
  close(reason: Fault): void {
    this.failure ??= reason;
    for (const sender of this.senders.values()) sender.fail(reason);
    for (const receiver of this.receivers.values()) receiver.fail(reason);
    this.attached?.close();
  }

  private async readFrames(stream: ByteStream): Promise<void> {
    const decoder = new StdioFrameDecoder();
    for (;;) {
      const bytes = await stream.read();
      if (bytes === undefined || this.attached !== stream) return;
      for (const frame of decoder.push(bytes)) this.take(frame);
    }
  }

  private take(frame: StdioFrame): void {
    const key = keyOf(frame.stdioId, frame.stream);
    if (frame.kind === 'ack') {
      this.senders.get(key)?.acknowledge(frame.offset);
      return;
    }
    const receiver = this.receivers.get(key);
    const isEnd = frame.kind === 'end';
    if (receiver === undefined) {
      this.checkPeerReads();
      this.acknowledge(frame.stdioId, frame.stream, frame.offset + (isEnd ? 1 : frame.data.length));
    } else if (isEnd) {
      receiver.pushEnd(frame.offset);
    } else {
      receiver.push(frame.offset, frame.data);
    }
  }

  private async writeFrames(stream: ByteStream): Promise<void> {
    while (this.attached === stream) {
      const frame = this.nextFrame();
      await (frame === undefined ? this.due.wait() : stream.write(encodeStdioFrame(frame)));
    }
  }

  private nextFrame(): StdioFrame | undefined {
    for (const [key, frame] of this.acknowledgements) {
      this.acknowledgements.delete(key);
      return frame;
    }
    for (const sender of this.dueSenders) {
      this.dueSenders.delete(sender);
      const frame = sender.nextFrame();
      if (frame === undefined) continue;
      this.dueSenders.add(sender);
      return frame;
    }
    return undefined;
  }

  private checkPeerReads(): void {
    if (this.acknowledgements.size < MAX_PENDING_ACKNOWLEDGEMENTS) return;
    throw new Fault('malformed', 'stdio channel: the peer does not take its acknowledgements');
  }

  private acknowledge(stdioId: number, stream: StreamNumber, offset: number): void {
    this.acknowledgements.set(keyOf(stdioId, stream), { kind: 'ack', stdioId, stream, offset, data: NOTHING });
    this.due.wake();
  }
}

const keyOf = (stdioId: number, stream: StreamNumber): number => stdioId * 4 + stream;
