import { type ServerUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import { Fault } from '../proto/fault.ts';
import type { Log } from '../runtime/system/log.ts';
import type { RpcMetrics } from './metrics/rpc-metrics.ts';
import { toServiceError } from './status.ts';
import type { Call, CallContext, StreamCall } from './verb.ts';
import type { VolumeLocks } from './volume-locks.ts';

/** What verbs share. */
export interface Hall {
  readonly locks: VolumeLocks;
  readonly metrics: RpcMetrics;
  /**
   * Verbs that run, and how each is told that nobody waits any more. gRPC does not know of all: a call ends with its
   * caller, the verb when it is done.
   */
  readonly running: Map<Promise<unknown>, AbortController>;
  readonly log: Log;
}

export interface Served {
  readonly name: string;
  readonly call: ServerUnaryCall<object, object> | ServerWritableStream<object, object>;
  readonly begin: (request: object) => Call<object> | StreamCall<object>;
  readonly run: (plan: Call<object> | StreamCall<object>, context: CallContext) => Promise<object>;
}

/** Carries a call out, from the check of its request to its line in the log. */
export function serve(served: Served, hall: Hall): Promise<object> {
  const { name, call } = served;
  const gone = new AbortController();
  // At its deadline too, grpc-js cancels a call.
  const leave = (): void => gone.abort(new Fault('timeout', `the caller of ${name} does not wait any more`));
  if (call.cancelled) leave();
  call.on('cancelled', leave);
  const answer = carryOut(served, gone.signal, hall);
  const ended: Promise<void> = answer.then(
    () => {},
    () => {},
  );
  hall.running.set(ended, gone);
  void ended.then(() => {
    hall.running.delete(ended);
    call.off('cancelled', leave); // which grpc-js also says of every call that is over
  });
  return answer;
}

async function carryOut({ name, call, begin, run }: Served, signal: AbortSignal, hall: Hall): Promise<object> {
  const startedAt = performance.now();
  const end = hall.metrics.begin(name);
  let code: status = status.OK;
  let log = hall.log.with({ rpc: name });
  let release = (): void => {};
  const ms = (): number => Math.round(performance.now() - startedAt);
  try {
    const plan = begin(call.request);
    log = log.with(plan.fields ?? {});
    release = hall.locks.take(plan, name);
    log.debug('verb begins');
    signal.throwIfAborted(); // its caller may have gone while others were served
    const response = await run(plan, { log, signal });
    if (plan.locks === undefined) log.debug('verb done', { ms: ms() });
    else log.info('verb done', { ms: ms() });
    return response;
  } catch (thrown) {
    // What waits with a signal throws an error of its own kind when it is aborted.
    const isOfSignal = signal.aborted && thrown instanceof Error && thrown.name === 'AbortError';
    const error: unknown = isOfSignal ? signal.reason : thrown;
    ({ code } = toServiceError(error));
    log.error('verb failed', { ms: ms(), error: toLoggable(error) });
    throw error;
  } finally {
    release();
    end(status[code], (performance.now() - startedAt) / 1000);
  }
}

/** A Fault says what an operator needs; anything else is a bug of ours, and its stack belongs in the log. */
function toLoggable(error: unknown): unknown {
  return error instanceof Error && !(error instanceof Fault) ? (error.stack ?? error.message) : error;
}
