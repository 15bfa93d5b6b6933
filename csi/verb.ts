import type { Log } from '../runtime/system/log.ts';

/**
 * A verb checks its request (throwing `invalid`) and answers what is to be done. The server does the rest, the same
 * for all: log, lock, status.
 */
export type Verb<Request, Response extends object> = (request: Request) => Call<Response>;

export interface Call<Response extends object> {
  /** Verbs on one volume exclude each other; without it, the verb looks only. */
  readonly volumeId?: string;
  /** What the log says of the request: ids and paths, never a whole request. */
  readonly fields?: Readonly<Record<string, unknown>>;
  run(log: Log): Promise<Response>;
}

/** Verbs of one gRPC service by their names. */
export type Service = Readonly<Record<string, Verb<never, object>>>;

/** A verb that answers the same always. */
export function constant<Response extends object>(response: Response): Verb<unknown, Response> {
  return () => ({ run: async () => response });
}
