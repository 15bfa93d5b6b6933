import { Fault } from './fault.ts';

/**
 * The stdio channel: the streams of all containers of a pod on one virtio-serial port, STDIO_PORT. A frame is a
 * 16-byte little-endian header and at most MAX_DATA_BYTES of data:
 *
 *   u8 kind, u8 stream, u16 length, u32 stdio id, u64 offset
 *
 * `data` carries bytes of a stream from `offset`; `end` says that the stream ends at `offset`; `ack` that the receiver
 * has handed on everything below `offset`. The end counts as one byte, so that it can be acknowledged too. A sender has
 * at most WINDOW_BYTES unacknowledged and keeps them; after a reconnect it sends them again and the receiver drops what
 * it knows. One slow stream never blocks another.
 */
export const MAX_DATA_BYTES = 32 << 10;
export const WINDOW_BYTES = 256 << 10;
const HEADER_BYTES = 16;

export const STDIN = 0;
export const STDOUT = 1;
export const STDERR = 2;
export type StreamNumber = typeof STDIN | typeof STDOUT | typeof STDERR;

const KINDS = ['data', 'end', 'ack'] as const;

export interface StdioFrame {
  readonly kind: (typeof KINDS)[number];
  readonly stdioId: number;
  readonly stream: StreamNumber;
  readonly offset: number;
  /** Empty unless `data`. */
  readonly data: Uint8Array;
}

export function encodeStdioFrame(frame: StdioFrame): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + frame.data.length);
  const view = new DataView(out.buffer);
  view.setUint8(0, KINDS.indexOf(frame.kind));
  view.setUint8(1, frame.stream);
  view.setUint16(2, frame.data.length, true);
  view.setUint32(4, frame.stdioId, true);
  view.setUint32(8, frame.offset % 2 ** 32, true);
  view.setUint32(12, Math.floor(frame.offset / 2 ** 32), true);
  out.set(frame.data, HEADER_BYTES);
  return out;
}

export class StdioFrameDecoder {
  private pending = new Uint8Array(0);

  /** Throws `malformed` on a kind, stream, length or offset that no peer sends. */
  push(chunk: Uint8Array): StdioFrame[] {
    const input = new Uint8Array(this.pending.length + chunk.length);
    input.set(this.pending);
    input.set(chunk, this.pending.length);
    const view = new DataView(input.buffer);
    const frames: StdioFrame[] = [];
    let offset = 0;
    while (input.length - offset >= HEADER_BYTES) {
      const kind = KINDS[view.getUint8(offset)];
      const stream = view.getUint8(offset + 1);
      const length = view.getUint16(offset + 2, true);
      const position = view.getUint32(offset + 8, true) + view.getUint32(offset + 12, true) * 2 ** 32;
      if (kind === undefined || stream > STDERR || length > MAX_DATA_BYTES || position > Number.MAX_SAFE_INTEGER) {
        throw new Fault('malformed', 'stdio channel: bytes that are no frame');
      }
      const end = offset + HEADER_BYTES + length;
      if (end > input.length) break;
      frames.push({
        kind,
        stream: stream as StreamNumber,
        stdioId: view.getUint32(offset + 4, true),
        offset: position,
        data: input.slice(offset + HEADER_BYTES, end),
      });
      offset = end;
    }
    this.pending = input.slice(offset);
    return frames;
  }
}
