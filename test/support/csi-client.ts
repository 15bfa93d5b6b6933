import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import type { createController } from '../../csi/controller.ts';
import type { createGroupController } from '../../csi/group-controller/service.ts';
import type { createIdentity } from '../../csi/identity.ts';
import { loadProto } from '../../csi/load-proto.ts';
import type { createNode } from '../../csi/node.ts';
import type { createSnapshotMetadata } from '../../csi/snapshot-metadata/service.ts';
import type { Call, StreamCall } from '../../csi/verb.ts';

interface Services {
  readonly Identity: ReturnType<typeof createIdentity>;
  readonly Controller: ReturnType<typeof createController>;
  readonly GroupController: ReturnType<typeof createGroupController>;
  readonly Node: ReturnType<typeof createNode>;
}
type ResponseOf<V> = V extends (request: never) => Call<infer Response> ? Response : never;

type Streams = ReturnType<typeof createSnapshotMetadata>;
type MessageOf<V> = V extends (request: never) => StreamCall<infer Message> ? Message : never;

/** A CSI client that answers the status as it was on the wire. */
export interface CsiClient {
  /** Fields that `request` leaves out have their proto3 default. Rejects with the ServiceError of grpc-js. */
  call<S extends keyof Services, V extends keyof Services[S] & string>(
    service: S,
    verb: V,
    request?: object,
  ): Promise<ResponseOf<Services[S][V]>>;
  /** All messages of a verb that streams. */
  stream<V extends keyof Streams & string>(verb: V, request?: object): Promise<MessageOf<Streams[V]>[]>;
  close(): void;
}

const DEADLINE_MS = 30_000;

export function connectCsi(socketPath: string): CsiClient {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  const definitions = loadProto(['Identity', 'Controller', 'GroupController', 'SnapshotMetadata', 'Node']);
  return {
    call: (service, verb, request = {}) =>
      new Promise((resolve, reject) => {
        const method = definitions.get(service)?.[verb];
        if (method === undefined) throw new TypeError(`csi.proto has no ${service}.${verb}`);
        const done = (error: ServiceError | null, response?: unknown): void => {
          if (error === null) resolve(response as ResponseOf<Services[typeof service][typeof verb]>);
          else reject(error);
        };
        const options = { deadline: Date.now() + DEADLINE_MS, waitForReady: true };
        const { path, requestSerialize, responseDeserialize } = method;
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, done);
      }),
    async stream(verb, request = {}) {
      const method = definitions.get('SnapshotMetadata')?.[verb];
      if (method === undefined) throw new TypeError(`csi.proto has no SnapshotMetadata.${verb}`);
      const options = { deadline: Date.now() + DEADLINE_MS, waitForReady: true };
      const { path, requestSerialize, responseDeserialize } = method;
      const found: object[] = [];
      for await (const message of client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        options,
      )) {
        found.push(message);
      }
      return found as MessageOf<Streams[typeof verb]>[];
    },
    close: () => client.close(),
  };
}
