import { describeError, Fault } from '../../proto/fault.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Variables = Readonly<Record<string, unknown>>;

/**
 * JSON lines: a constant message, variables as fields. error: an asked action did not happen; warn: odd, went on; info:
 * a state change an operator wants to see; debug: for whoever debugs berth.
 */
export interface Log {
  debug(message: string, variables?: Variables): void;
  info(message: string, variables?: Variables): void;
  warn(message: string, variables?: Variables): void;
  error(message: string, variables?: Variables): void;
  /** The same log with `variables` on every line. */
  with(variables: Variables): Log;
}

/** `write` takes one line with its newline. `now` is the wall clock in milliseconds. */
export function createLog(write: (line: string) => void, level: LogLevel, now: () => number = Date.now): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const at = (bound: Variables): Log => {
    const line =
      (name: LogLevel) =>
      (message: string, variables: Variables = {}): void => {
        if (LOG_LEVELS.indexOf(name) < threshold) return;
        write(logLine(now(), name, message, { ...bound, ...variables }));
      };
    return {
      debug: line('debug'),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      with: (variables) => at({ ...bound, ...variables }),
    };
  };
  return at({});
}

/** A line of the log, with its newline. `atMs` is the wall clock. */
export function logLine(atMs: number, level: LogLevel | 'trace', message: string, variables: Variables): string {
  return `${JSON.stringify({ time: new Date(atMs).toISOString(), level, message, ...plain(variables) })}\n`;
}

export const silentLog: Log = createLog(() => {}, 'error');

function plain(variables: Variables): Record<string, unknown> {
  return Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (value instanceof Fault) return { code: value.code, message: describeError(value), ...value.fields };
  return value instanceof Error ? describeError(value) : value;
}
