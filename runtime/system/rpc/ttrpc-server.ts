import { describeError, Fault } from '../../../proto/fault.ts';
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
import type { Log } from '../log.ts';
import type { ByteStream } from '../port.ts';
import { statusOfThrown } from './fault-status.ts';

/** One handler for every method of a table: a missing one does not compile. */
export type Handlers<M extends MethodTable> = {
  readonly [K in keyof M]: (request: RequestOf<M[K]>) => Promise<Partial<ReplyOf<M[K]>>>;
};

/** A service with its handlers, its message types erased. */
export interface Service {
  readonly name: string;
  /** By the method's name on the wire. */
  readonly methods: ReadonlyMap<string, (payload: Uint8Array) => Promise<Uint8Array>>;
}

export function defineService<M extends MethodTable>(name: string, table: M, handlers: Handlers<M>): Service {
  const methods = Object.entries(table).map(([key, { name: wireName, request, reply }]) => {
    const handler = handlers[key] as (request: unknown) => Promise<object>;
    const invoke = async (payload: Uint8Array) =>
      reply.encode(await handler(decodeRequest(() => request.decode(payload))));
    return [wireName, invoke] as const;
  });
  return { name, methods: new Map(methods) };
}

export interface Connection {
  /** Resolves when the peer is gone, or sent what is no ttrpc. */
  readonly ended: Promise<void>;
  /** Resolves when every request that has arrived is answered, and the kernel has the answers. */
  drained(): Promise<void>;
  /** Idempotent. */
  close(): void;
}

/**
 * Answers the calls of one connection, which it owns from here on. Calls run concurrently, since one may wait for a
 * container's life. What a handler throws goes back as a status; only bytes that are no frame end the connection.
 */
export function serve(stream: ByteStream, service: Service, log: Log): Connection {
  const running = new Set<Promise<void>>();
  const answer = async (frame: Frame): Promise<void> => {
    const payload = await reply(service, frame, log);
    try {
      await stream.write(encodeFrame({ streamId: frame.streamId, type: FRAME_RESPONSE, payload }));
    } catch (error) {
      log.debug('a reply found no reader', { service: service.name, error });
    }
  };
  const receive = async (): Promise<void> => {
    const decoder = new FrameDecoder();
    try {
      for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
        for (const frame of decoder.push(chunk)) {
          if (frame.type !== FRAME_REQUEST)
            throw new Fault('malformed', `ttrpc frame of type ${frame.type} from a client`);
          const task: Promise<void> = answer(frame).finally(() => running.delete(task));
          running.add(task);
        }
      }
    } catch (error) {
      log.warn('connection given up', { service: service.name, error });
    } finally {
      stream.close();
    }
  };
  return {
    ended: receive(),
    async drained() {
      while (running.size > 0) await Promise.all(running);
    },
    close: () => stream.close(),
  };
}

/** The encoded response to a request frame: never throws. */
async function reply(service: Service, frame: Frame, log: Log): Promise<Uint8Array> {
  let name = '?';
  try {
    const request = decodeRequest(() => ttrpcRequest.decode(frame.payload));
    name = request.method;
    const method = request.service === service.name ? service.methods.get(name) : undefined;
    if (method === undefined) throw new Fault('unsupported', `there is no method ${request.service}/${name}`);
    const encoded = ttrpcResponse.encode({ payload: await method(request.payload) });
    if (encoded.length <= MAX_MESSAGE_BYTES) return encoded;
    throw new Fault('exhausted', `the reply of ${name} has ${encoded.length} bytes; at most ${MAX_MESSAGE_BYTES} fit`);
  } catch (error) {
    log.debug('call failed', { service: service.name, method: name, error: describeError(error) });
    return ttrpcResponse.encode({ status: statusOfThrown(error) });
  }
}

/** A message that does not decode is the caller's mistake, and costs it this call, not the connection. */
function decodeRequest<T>(decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new Fault('invalid', 'the request does not decode', { cause });
  }
}
