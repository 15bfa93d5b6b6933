import { Fault } from './fault.ts';
import { bytes, type Message, message, messages, optional, string, uint } from './protobuf.ts';

/**
 * ttrpc, the RPC of containerd's shims (github.com/containerd/ttrpc, PROTOCOL.md), unary calls only: a ten-byte header
 * (length, stream id, type, flags; big-endian) and a protobuf message. Clients use odd stream ids, increasing.
 */
const HEADER_BYTES = 10;
export const MAX_MESSAGE_BYTES = 4 << 20;

export const FRAME_REQUEST = 1;
export const FRAME_RESPONSE = 2;

export interface Frame {
  readonly streamId: number;
  readonly type: number;
  readonly payload: Uint8Array;
}

export const ttrpcRequest = message({
  service: string(1),
  method: string(2),
  payload: bytes(3),
  timeoutNanos: uint(4),
  metadata: messages(5, message({ key: string(1), value: string(2) })),
});

/**
 * google.rpc.Status; `details` carries one Any whose value is `{"code", "fields"}` of a Fault as JSON (type URL
 * FAULT_DETAIL).
 */
export const ttrpcStatus = message({
  code: uint(1),
  message: string(2),
  details: messages(3, message({ typeUrl: string(1), value: bytes(2) })),
});
export const FAULT_DETAIL = 'berth.v1.Fault';

export const ttrpcResponse = message({ status: optional(1, ttrpcStatus), payload: bytes(2) });

export function encodeFrame(frame: Frame): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + frame.payload.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, frame.payload.length);
  view.setUint32(4, frame.streamId);
  view.setUint8(8, frame.type);
  out.set(frame.payload, HEADER_BYTES);
  return out;
}

/** Cuts a byte stream into frames; bytes of an unfinished frame wait for the next chunk. */
export class FrameDecoder {
  private pending = new Uint8Array(0);

  /** Throws `malformed` for a frame above MAX_MESSAGE_BYTES: its length is not to be trusted, nor what follows it. */
  push(chunk: Uint8Array): Frame[] {
    const input = join(this.pending, chunk);
    const view = new DataView(input.buffer, input.byteOffset, input.length);
    const frames: Frame[] = [];
    let offset = 0;
    while (input.length - offset >= HEADER_BYTES) {
      const length = view.getUint32(offset);
      if (length > MAX_MESSAGE_BYTES) throw new Fault('malformed', `ttrpc frame of ${length} bytes`);
      const end = offset + HEADER_BYTES + length;
      if (end > input.length) break;
      const payload = input.slice(offset + HEADER_BYTES, end);
      frames.push({ streamId: view.getUint32(offset + 4), type: view.getUint8(offset + 8), payload });
      offset = end;
    }
    this.pending = input.slice(offset);
    return frames;
  }
}

function join(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (left.length === 0) return right;
  const out = new Uint8Array(left.length + right.length);
  out.set(left);
  out.set(right, left.length);
  return out;
}

/** One method of a service: its name on the wire and the tables of its request and reply. */
export interface Method<Request, Reply> {
  readonly name: string;
  readonly request: Message<Request>;
  readonly reply: Message<Reply>;
}
/** The methods of a service. Its messages differ from method to method, so the table knows nothing of their types. */
export type MethodTable = Readonly<Record<string, Method<unknown, unknown>>>;
export type RequestOf<M> = M extends Method<infer Request, infer _Reply> ? Request : never;
export type ReplyOf<M> = M extends Method<infer _Request, infer Reply> ? Reply : never;

export const method = <Request, Reply>(
  name: string,
  request: Message<Request>,
  reply: Message<Reply>,
): Method<Request, Reply> => ({ name, request, reply });
