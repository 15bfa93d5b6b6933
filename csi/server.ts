import { chmod } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type handleUnaryCall, Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { Fault } from '../proto/fault.ts';
import type { Log } from '../runtime/system/log.ts';
import { ensureNoStaleSocket } from '../runtime/system/node/unix-socket.ts';
import { loadProto } from './load-proto.ts';
import { toServiceError } from './status.ts';
import type { Service, Verb } from './verb.ts';
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
    for (const [verb, body] of Object.entries(service)) handlers[verb] = toHandler(verb, body, locks, log);
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

function toHandler(
  name: string,
  verb: Verb<never, object>,
  locks: VolumeLocks,
  log: Log,
): handleUnaryCall<object, object> {
  return ({ request }, callback) => {
    // proto-loader decoded it by csi.proto; messages.ts is the same in TypeScript.
    serve(name, verb, request as never, locks, log).then(
      (response) => callback(null, response),
      (error: unknown) => callback(toServiceError(error)),
    );
  };
}

async function serve(
  name: string,
  verb: Verb<never, object>,
  request: never,
  locks: VolumeLocks,
  serverLog: Log,
): Promise<object> {
  const startedAt = performance.now();
  let log = serverLog.with({ rpc: name });
  let release = (): void => {};
  try {
    const call = verb(request);
    const { volumeId } = call;
    log = log.with({ ...(volumeId === undefined ? {} : { volumeId }), ...call.fields });
    if (volumeId !== undefined) release = locks.take(volumeId, name);
    log.debug('verb begins');
    const response = await call.run(log);
    const ms = Math.round(performance.now() - startedAt);
    if (volumeId === undefined) log.debug('verb done', { ms });
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
