import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { promisify } from 'node:util';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Fault } from '../proto/fault.ts';
import type { Log } from '../runtime/system/log.ts';
import { ensureNoStaleSocket } from '../runtime/system/node/unix-socket.ts';
import { within } from '../runtime/system/within.ts';
import { loadProto } from './load-proto.ts';
import type { RpcMetrics } from './metrics/rpc-metrics.ts';
import { serializeOnce } from './serialize-once.ts';
import { type Hall, serve } from './serve.ts';
import { toServiceError } from './status.ts';
import type { Call, CallContext, Service, StreamCall, StreamVerb, Verb } from './verb.ts';
import { VolumeLocks } from './volume-locks.ts';

export interface RunningServer {
  /**
   * Lets verbs that run finish, refuses new ones, removes the socket. False if some did not finish in time: they run on,
   * so that whoever called must end the process, and not close what they work on.
   */
  close(): Promise<boolean>;
}

/**
 * How long a stop waits for running verbs, and, once they have been told, a little longer: together less than the 30 s
 * after which Kubernetes kills a container.
 */
const STOP_LIMITS = { graceMs: 20_000, windUpMs: 3000 };

/** Serves the verbs on a unix socket of mode 0600. `services` is keyed by the names of csi.proto. */
export async function startServer(
  socketPath: string,
  services: Readonly<Record<string, Service>>,
  metrics: RpcMetrics,
  log: Log,
  limits = STOP_LIMITS,
): Promise<RunningServer> {
  const server = new Server();
  const hall: Hall = { locks: new VolumeLocks(), metrics, running: new Map(), log };
  const definitions = loadProto(Object.keys(services));
  for (const [name, service] of Object.entries(services)) {
    const definition = definitions.get(name);
    if (definition === undefined) throw new Fault('internal', `csi.proto has no service ${name}`);
    const handlers: UntypedServiceImplementation = {};
    for (const [verb, body] of Object.entries(service)) {
      const isStream = definition[verb]?.responseStream ?? false;
      handlers[verb] = toHandler(verb, body, isStream, hall);
    }
    server.addService(withLists(definition), handlers);
  }
  await ensureNoStaleSocket(socketPath);
  try {
    await promisify(server.bindAsync.bind(server))(`unix:${socketPath}`, ServerCredentials.createInsecure());
    await chmod(socketPath, 0o600);
  } catch (cause) {
    server.forceShutdown();
    throw new Fault('io', `could not listen on ${socketPath}`, { fields: { socketPath }, cause });
  }
  let stopped: Promise<boolean> | undefined;
  return {
    close() {
      stopped ??= stop(server, hall, limits);
      return stopped;
    },
  };
}

/** Verbs whose replies are long, and the field of which they are long: what is in it stays the same objects. */
const LISTS: Readonly<Record<string, string>> = { ListVolumes: 'entries' };

function withLists(definition: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(definition).map(([verb, method]) => {
    const field = LISTS[verb];
    if (field === undefined) return [verb, method];
    return [verb, { ...method, responseSerialize: serializeOnce(method.responseSerialize, field) }];
  });
  return Object.fromEntries(methods);
}

/** csi.proto says which verbs stream; what a verb answers must agree with it. */
function toHandler(
  name: string,
  verb: Verb<never, object> | StreamVerb<never, object>,
  isStream: boolean,
  hall: Hall,
): handleUnaryCall<object, object> | handleServerStreamingCall<object, object> {
  // proto-loader decoded the request by csi.proto; messages.ts is the same in TypeScript.
  const begin = (request: object) => verb(request as never);
  if (isStream) {
    return (call: ServerWritableStream<object, object>) => {
      const send = async (plan: Call<object> | StreamCall<object>, context: CallContext) => {
        if (!('stream' in plan)) throw new Fault('internal', `${name} does not stream`);
        for await (const message of plan.stream(context)) {
          if (!call.write(message)) await once(call, 'drain', { signal: context.signal });
        }
        return {};
      };
      serve({ name, call, begin, run: send }, hall).then(
        () => call.end(),
        // Not destroy(): a stream that is destroyed never sends the status that grpc-js makes of the event.
        (error: unknown) => call.emit('error', Object.assign(new Error(name), toServiceError(error))),
      );
    };
  }
  return (call: ServerUnaryCall<object, object>, callback) => {
    const run = (plan: Call<object> | StreamCall<object>, context: CallContext) => {
      if (!('run' in plan)) throw new Fault('internal', `${name} only streams`);
      return plan.run(context);
    };
    serve({ name, call, begin, run }, hall).then(
      (response) => callback(null, response),
      (error: unknown) => callback(toServiceError(error)),
    );
  };
}

async function stop(server: Server, { running, log }: Hall, limits: typeof STOP_LIMITS): Promise<boolean> {
  const ended = promisify(server.tryShutdown.bind(server))().then(async () => {
    await Promise.all(running.keys());
    return true;
  });
  if ((await within(limits.graceMs, ended)) === true) return true;
  log.warn('verbs still run; telling them to end', { verbs: running.size });
  for (const gone of running.values()) gone.abort(new Fault('busy', 'berth-csi stops; try again'));
  return (await within(limits.windUpMs, ended)) ?? false;
}
