import { asFault, Fault } from '../../../proto/fault.ts';
import {
  encodeFrame,
  FRAME_REQUEST,
  FRAME_RESPONSE,
  type Frame,
  FrameDecoder,
  MAX_MESSAGE_BYTES,
  type MethodTable,
  type ReplyOf,
  type RequestOf,
  ttrpcRequest,
  ttrpcResponse,
} from '../../../proto/ttrpc.ts';
import type { ByteStream } from '../port.ts';
import { faultOfWire } from './fault-status.ts';

export interface CallOptions {
  /** Fault `timeout` then; the peer may still carry the call out. Without it, a call waits as long as the connection. */
  readonly timeoutMs?: number | undefined;
}

export interface Client<M extends MethodTable> {
  /** Calls run concurrently. Throws the peer's Fault, or `io` when the peer is gone before it answered. */
  call<K extends keyof M>(name: K, request: Partial<RequestOf<M[K]>>, options?: CallOptions): Promise<ReplyOf<M[K]>>;
  /** Resolves, with the reason, when no call can be answered any more. */
  readonly closed: Promise<Fault>;
  /** Every pending call is rejected. Idempotent. */
  close(): void;
}

interface Pending {
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (fault: Fault) => void;
}

/** A client of one service over one connection, which it owns from here on. */
export function createClient<M extends MethodTable>(stream: ByteStream, service: string, methods: M): Client<M> {
  const connection = new Connection(stream, service);
  return {
    async call(name, request, options = {}) {
      const method = methods[name];
      if (method === undefined) throw new Fault('internal', `${service} has no method ${String(name)}`);
      const reply = await connection.call(method.name, method.request.encode(request), options.timeoutMs);
      return method.reply.decode(reply) as ReplyOf<M[typeof name]>;
    },
    closed: connection.closed,
    close: () => connection.end(new Fault('io', `${service}: the connection was closed`)),
  };
}

class Connection {
  readonly closed: Promise<Fault>;
  private readonly stream: ByteStream;
  private readonly service: string;
  private readonly pending = new Map<number, Pending>();
  private nextStreamId = 1;
  private reason: Fault | undefined;
  private announceClosed: (reason: Fault) => void = () => {};

  constructor(stream: ByteStream, service: string) {
    this.stream = stream;
    this.service = service;
    this.closed = new Promise((resolve) => {
      this.announceClosed = resolve;
    });
    void this.receive();
  }

  call(method: string, payload: Uint8Array, timeoutMs: number | undefined): Promise<Uint8Array> {
    if (this.reason !== undefined) return Promise.reject(this.gone(method, this.reason));
    const timeoutNanos = timeoutMs === undefined ? 0 : Math.ceil(timeoutMs) * 1_000_000;
    const request = ttrpcRequest.encode({ service: this.service, method, payload, timeoutNanos });
    if (request.length > MAX_MESSAGE_BYTES) {
      const message = `${this.service}/${method}: a request of ${request.length} bytes; at most ${MAX_MESSAGE_BYTES} fit`;
      return Promise.reject(new Fault('exhausted', message));
    }
    const streamId = this.nextStreamId;
    this.nextStreamId += 2;
    return new Promise((resolve, reject) => {
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => expire(timeoutMs), timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        this.pending.delete(streamId);
      };
      const expire = (afterMs: number) => {
        settle();
        reject(new Fault('timeout', `${this.service}/${method} did not answer within ${afterMs} ms`));
      };
      this.pending.set(streamId, {
        resolve: (reply) => {
          settle();
          resolve(reply);
        },
        reject: (fault) => {
          settle();
          reject(fault);
        },
      });
      this.stream
        .write(encodeFrame({ streamId, type: FRAME_REQUEST, payload: request }))
        .catch((error: unknown) => this.end(asFault(error, 'io', `${this.service}: cannot send`)));
    });
  }

  end(reason: Fault): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.stream.close();
    for (const call of [...this.pending.values()]) call.reject(reason);
    this.announceClosed(reason);
  }

  private async receive(): Promise<void> {
    const decoder = new FrameDecoder();
    try {
      for (let chunk = await this.stream.read(); chunk !== undefined; chunk = await this.stream.read()) {
        for (const frame of decoder.push(chunk)) this.accept(frame);
      }
      this.end(new Fault('io', `${this.service}: the peer closed the connection`));
    } catch (error) {
      this.end(asFault(error, 'io', `${this.service}: the connection broke`));
    }
  }

  private accept(frame: Frame): void {
    if (frame.type !== FRAME_RESPONSE) throw new Fault('malformed', `ttrpc frame of type ${frame.type} from a server`);
    const response = ttrpcResponse.decode(frame.payload);
    // A call that is not pending had its time-out: its late answer concerns nobody.
    const call = this.pending.get(frame.streamId);
    if (response.status === undefined || response.status.code === 0) call?.resolve(response.payload);
    else call?.reject(faultOfWire(response.status));
  }

  private gone(method: string, cause: Fault): Fault {
    return new Fault('io', `${this.service}/${method}: there is no connection any more`, { cause });
  }
}
