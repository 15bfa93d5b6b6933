import type { Log } from '../runtime/system/log.ts';
import type { LockPlan } from './volume-locks.ts';

/**
 * A verb checks its request (throwing `invalid`) and answers what is to be done. The server does the rest, the same
 * for all: log, locks, deadline, metrics, status.
 */
export type Verb<Request, Response extends object> = (request: Request) => Call<Response>;

/** Without `locks`, a verb looks only. */
interface CallPlan extends LockPlan {
  /** What the log says of the request: ids and paths, never a whole request. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface Call<Response extends object> extends CallPlan {
  run(context: CallContext): Promise<Response>;
}

export interface CallContext {
  readonly log: Log;
  /** Aborted at the caller's deadline, when it cancels, and when the server must stop: nobody waits any more. */
  readonly signal: AbortSignal;
}

/** A server-streaming verb: each message as it comes. */
export type StreamVerb<Request, Response extends object> = (request: Request) => StreamCall<Response>;

export interface StreamCall<Response extends object> extends CallPlan {
  readonly stream: (context: CallContext) => AsyncIterable<Response>;
}

/** Verbs of one gRPC service by their names. */
export type Service = Readonly<Record<string, Verb<never, object> | StreamVerb<never, object>>>;

/** A verb that answers the same always. */
export function constant<Response extends object>(response: Response): Verb<unknown, Response> {
  return () => ({ run: async () => response });
}
