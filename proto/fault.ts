/**
 * The one error class of berth. Every failure that crosses a room carries a code from a closed set, so that each wire
 * (gRPC, CNI, ttrpc, exit status) can map it by an exhaustive table and nothing else needs to know the wire.
 */

export const FAULT_CODES = [
  'invalid', // the caller's input; the message names the field
  'malformed', // bytes that do not decode (JSON, record, frame)
  'not-found',
  'exists', // the name is taken by something incompatible
  'out-of-range', // a well-formed size or position that cannot be had
  'precondition', // legal, but not in the present state
  'busy', // another verb holds it; try again
  'exhausted', // space, slots, memory
  'unsupported', // by this build, host or record version
  'environment', // a missing program, kernel feature or variable; the message says what installs it
  'exec', // a child process failed; `fields` carries its stderr
  'io',
  'timeout',
  'internal', // a broken invariant of ours
] as const;

export type FaultCode = (typeof FAULT_CODES)[number];

/** Plain data that helps an operator: ids, paths, limits, tails of logs. Never secrets. */
export type FaultFields = Readonly<Record<string, string | number | boolean>>;

export class Fault extends Error {
  readonly code: FaultCode;
  readonly fields: FaultFields;

  /** `message` is a sentence that names the thing and, where there is one, the way out; it never repeats the cause. */
  constructor(code: FaultCode, message: string, options: { fields?: FaultFields; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.fields = options.fields ?? {};
  }
}

/** Whatever was thrown, as a Fault: a Fault passes through, anything else becomes the cause of one with `code`. */
export function asFault(thrown: unknown, code: FaultCode, message: string, fields?: FaultFields): Fault {
  if (thrown instanceof Fault) return thrown;
  return new Fault(code, message, fields ? { fields, cause: thrown } : { cause: thrown });
}

/** A Fault as one of a part of the whole, `part: message`, with more fields. Anything else passes through. */
export function faultIn(part: string, thrown: unknown, fields: FaultFields): unknown {
  if (!(thrown instanceof Fault)) return thrown;
  const { code, message, cause } = thrown;
  return new Fault(code, `${part}: ${message}`, { fields: { ...thrown.fields, ...fields }, cause });
}

/** One line for a person: the message and the chain of causes, outermost first. */
export function describeError(thrown: unknown): string {
  const parts: string[] = [];
  for (let error = thrown, depth = 0; error !== undefined && depth < 8; depth += 1) {
    const message = error instanceof Error ? error.message : String(error);
    if (message !== '' && parts[parts.length - 1] !== message) parts.push(message);
    if (error instanceof AggregateError) parts.push(...error.errors.map(describeError));
    error = error instanceof Error ? error.cause : undefined;
  }
  return parts.join(': ');
}

/** The value that a total `switch` must never reach. */
export function assertNever(value: never): never {
  throw new Fault('internal', `unexpected value ${JSON.stringify(value)}`);
}
