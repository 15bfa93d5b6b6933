import { once } from 'node:events';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Fault } from '../../proto/fault.ts';
import { faultOfStatus } from '../../proto/status.ts';

export type CsiService = 'Identity' | 'Controller' | 'Node';

/**
 * gRPC as it is on the wire, on Node's own HTTP/2, and nothing else: what a client adds to the figures of all drivers
 * hides what sets them apart, and a whole one (grpc-js) adds more than a quick verb takes.
 */
export interface WireClient {
  /** Throws the driver's status as a Fault. */
  call(service: CsiService, verb: string, request: object): Promise<object>;
  close(): void;
}

type Method = MethodDefinition<object, object>;

/** Before each message: not compressed, and its length. */
const PREFIX_BYTES = 5;
const RETRY_MS = 20;
const INTERNAL = 13;

/** Waits until the driver listens; whoever calls knows whether it still may. `protoPath` is csi.proto. */
export async function connectWire(socket: string, protoPath: string): Promise<WireClient> {
  const methods = loadMethods(protoPath);
  const session = await openSession(socket);
  return {
    async call(service, verb, request) {
      const method = methods(service, verb);
      return method.responseDeserialize(await exchange(session, verb, method.path, method.requestSerialize(request)));
    },
    close: () => session.close(),
  };
}

function loadMethods(protoPath: string): (service: CsiService, verb: string) => Method {
  const definition = loadSync(protoPath, { keepCase: true, enums: String, defaults: true, oneofs: true });
  return (service, verb) => {
    const found = definition[`csi.v1.${service}`];
    const method = found === undefined || 'format' in found ? undefined : found[verb];
    if (method === undefined) throw new Fault('internal', `csi.proto has no ${service}.${verb}`);
    return method;
  };
}

async function openSession(path: string): Promise<ClientHttp2Session> {
  for (;;) {
    const socket = createConnection({ path });
    try {
      await once(socket, 'connect');
      return connect('http://localhost', { createConnection: () => socket });
    } catch {
      await setTimeout(RETRY_MS);
    }
  }
}

/** One message there, one back. */
function exchange(session: ClientHttp2Session, verb: string, path: string, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    });
    const chunks: Buffer[] = [];
    let last: IncomingHttpHeaders = {};
    const keep = (headers: IncomingHttpHeaders): void => {
      last = headers;
    };
    stream.on('response', keep); // an answer without a message has its status here
    stream.on('trailers', keep);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      const status = Number(last['grpc-status'] ?? INTERNAL);
      if (status === 0) resolve(Buffer.concat(chunks).subarray(PREFIX_BYTES));
      else reject(faultOfStatus(status, `${verb}: ${last['grpc-message'] ?? 'no answer'}`));
    });
    stream.end(toFrame(message));
  });
}

function toFrame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
