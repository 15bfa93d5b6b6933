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
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Fault } from '../proto/fault.ts';
import type { Log } from '../runtime/system/log.ts';
import { ensureNoStaleSocket } from '../runtime/system/node/unix-socket.ts';
import { loadProto } from './load-proto.ts';
import { toServiceError } from './status.ts';
import type { Call, CallContext, Service, StreamCall, StreamVerb, Verb } from './verb.ts';
import { VolumeLocks } from './volume-locks.ts';

export interface RunningServer {
  /** Lets verbs that run finish, refuses new ones, removes the socket. */
  close(): Promise<void>;
}

/** How long a stop waits for running verbs: less than the 30 s after which Kubernetes kills a container. */
const GRACE_MS = 20_000;

/** Serves the verbs on a unix socket of mode 0600. `services` is keyed by the names of csi.proto. */
export async function startServer(
  socketPath: string,
  services: Readonly<Record<string, Service>>,
  log: Log,
): Promise<RunningServer> {
  const server = new Server();
  const locks = new VolumeLocks();
  const definitions = loadProto(Object.keys(services));
  for (const [name, service] of Object.entries(services)) {
    const definition = definitions.get(name);
    if (definition === undefined) throw new Fault('internal', `csi.proto has no service ${name}`);
    const handlers: UntypedServiceImplementation = {};
    for (const [verb, body] of Object.entries(service)) {
      const isStream = definition[verb]?.responseStream ?? false;
      handlers[verb] = toHandler(verb, body, isStream, locks, log);
    }
    server.addService(definition, handlers);
  }
  await ensureNoStaleSocket(socketPath);
  try {
    await promisify(server.bindAsync.bind(server))(`unix:${socketPath}`, ServerCredentials.createInsecure());
    await chmod(socketPath, 0o600);
  } catch (cause) {
    server.forceShutdown();
    throw new Fault('io', `could not listen on ${socketPath}`, { fields: { socketPath }, cause });
  }
  return { close: () => stop(server, log) };
}

/** csi.proto says which verbs stream; what a verb answers must agree with it. */
function toHandler(
  name: string,
  verb: Verb<never, object> | StreamVerb<never, object>,
  isStream: boolean,
  locks: VolumeLocks,
  log: Log,
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
      serve({ name, call, begin, run: send }, locks, log).then(
        () => call.end(),
        (error: unknown) => call.destroy(Object.assign(new Error(name), toServiceError(error))),
      );
    };
  }
  return (call: ServerUnaryCall<object, object>, callback) => {
    const run = (plan: Call<object> | StreamCall<object>, context: CallContext) => {
      if (!('run' in plan)) throw new Fault('internal', `${name} only streams`);
      return plan.run(context);
    };
    serve({ name, call, begin, run }, locks, log).then(
      (response) => callback(null, response),
      (error: unknown) => callback(toServiceError(error)),
    );
  };
}

interface Served {
  readonly name: string;
  readonly call: ServerUnaryCall<object, object> | ServerWritableStream<object, object>;
  readonly begin: (request: object) => Call<object> | StreamCall<object>;
  readonly run: (plan: Call<object> | StreamCall<object>, context: CallContext) => Promise<object>;
}

async function serve({ name, call, begin, run }: Served, locks: VolumeLocks, serverLog: Log): Promise<object> {
  const startedAt = performance.now();
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort(new Fault('timeout', `the caller of ${name} does not wait any more`)));
  let log = serverLog.with({ rpc: name });
  let release = (): void => {};
  try {
    const plan = begin(call.request);
    log = log.with(plan.fields ?? {});
    release = locks.take(plan.locks ?? [], name);
    log.debug('verb begins');
    const response = await run(plan, { log, signal: gone.signal });
    const ms = Math.round(performance.now() - startedAt);
    if (plan.locks === undefined) log.debug('verb done', { ms });
    else log.info('verb done', { ms });
    return response;
  } catch (error) {
    log.error('verb failed', { ms: Math.round(performance.now() - startedAt), error: toLoggable(error) });
    throw error;
  } finally {
    release();
  }
}

/** A Fault says what an operator needs; anything else is a bug of ours, and its stack belongs in the log. */
function toLoggable(error: unknown): unknown {
  return error instanceof Error && !(error instanceof Fault) ? (error.stack ?? error.message) : error;
}

async function stop(server: Server, log: Log): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const graceOver = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.warn('verbs still run; stopping without them');
      server.forceShutdown();
      resolve();
    }, GRACE_MS);
  });
  await Promise.race([promisify(server.tryShutdown.bind(server))(), graceOver]);
  clearTimeout(timer);
}
