import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { Fault } from '../../proto/fault.ts';
import { faultOfStatus } from '../../proto/status.ts';

export const CSI_SERVICES = ['Identity', 'Controller', 'GroupController', 'SnapshotMetadata', 'Node'] as const;
export type CsiService = (typeof CSI_SERVICES)[number];

/** A gRPC client of a CSI driver, as kubelet and its sidecars are. Fields have their names of csi.proto. */
export interface CsiClient {
  /** Throws the driver's status as a Fault. Of a verb that streams, all of its messages in a list. */
  call(service: CsiService, verb: string, request: object): Promise<object>;
  /** Resolves when the driver is connected; Fault `environment` if it is not by then. */
  waitUntilConnected(timeoutMs: number): Promise<void>;
  close(): void;
}

/** What kubelet waits for a CSI call. */
const DEADLINE_MS = 120_000;
const RECONNECT_MS = 50;

/** Connects to a unix socket; a call waits until the driver listens. `protoPath` is csi.proto. */
export function createCsiClient(socket: string, protoPath: string): CsiClient {
  const definition = loadSync(protoPath, {
    keepCase: true,
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    // A driver on the same machine that does not listen yet will in a moment, not in a second.
    'grpc.initial_reconnect_backoff_ms': RECONNECT_MS,
    'grpc.min_reconnect_backoff_ms': RECONNECT_MS,
  });
  return {
    call(service, verb, request) {
      const method = findService(definition, service)[verb];
      if (method === undefined) throw new Fault('internal', `csi.proto has no ${service}.${verb}`);
      const metadata = new Metadata({ waitForReady: true });
      const options = { deadline: Date.now() + DEADLINE_MS };
      return new Promise((resolve, reject) => {
        const settle = (error: ServiceError | null, reply?: object) => {
          if (error === null && reply !== undefined) resolve(reply);
          else reject(toFault(verb, error));
        };
        const { path, requestSerialize, responseDeserialize } = method;
        if (!method.responseStream) {
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, options, settle);
          return;
        }
        const messages: object[] = [];
        client
          .makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata, options)
          .on('data', (message: object) => messages.push(message))
          .on('error', (error: ServiceError) => settle(error))
          .on('end', () => settle(null, messages));
      });
    },
    waitUntilConnected: (timeoutMs) =>
      new Promise((resolve, reject) => {
        client.waitForReady(Date.now() + timeoutMs, (cause) => {
          if (cause === undefined) return resolve();
          const message = `no berth-csi answers at ${socket}; is it running, and is this its endpoint?`;
          reject(new Fault('environment', message, { fields: { socket }, cause }));
        });
      }),
    close: () => client.close(),
  };
}

function toFault(verb: string, error: ServiceError | null): Fault {
  const code = error?.code ?? status.INTERNAL;
  return faultOfStatus(code, `${verb} answered ${status[code]}: ${error?.details ?? 'nothing'}`);
}

function findService(definition: PackageDefinition, service: CsiService): ServiceDefinition {
  const found = definition[`csi.v1.${service}`];
  if (found === undefined || 'format' in found) throw new Fault('internal', `csi.proto has no service ${service}`);
  return found;
}
