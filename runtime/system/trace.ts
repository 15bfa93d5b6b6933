import { logLine } from './log.ts';

/** What BERTH_TRACE can name, separated by commas, in every program. */
export const TRACE_AREAS = ['netlink', 'record', 'vmm', 'agent'] as const;
export type TraceArea = (typeof TRACE_AREAS)[number];

export const TRACE_VARIABLE = 'BERTH_TRACE';

type Tracer = (message: string, variables: Readonly<Record<string, unknown>>) => void;

let tracers: Partial<Record<TraceArea, Tracer>> = {};
let traced: readonly TraceArea[] = [];

/**
 * Once, at a program's start: `wanted` is the variable's value, `write` takes a line of JSON with its newline. An area
 * that does not exist is named on a line of its own, and otherwise not minded: a typo must not end a pod. `bound` is on
 * every line.
 */
export function startTrace(
  wanted: string | undefined,
  write: (line: string) => void,
  bound: Readonly<Record<string, unknown>> = {},
): void {
  const names = (wanted ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  traced = TRACE_AREAS.filter((area) => names.includes(area));
  tracers = Object.fromEntries(
    traced.map((area): [TraceArea, Tracer] => [
      area,
      (message, variables) => write(logLine(Date.now(), 'trace', message, { area, ...bound, ...variables })),
    ]),
  );
  const unknown = names.filter((name) => !TRACE_AREAS.some((area) => area === name));
  if (unknown.length === 0) return;
  const message = `${TRACE_VARIABLE} names what cannot be traced`;
  write(logLine(Date.now(), 'warn', message, { unknown, areas: TRACE_AREAS }));
}

/** Undefined when the area is off: `trace('vmm')?.('command', { ... })` then does not even make its argument. */
export const trace = (area: TraceArea): Tracer | undefined => tracers[area];

/** The areas that are on, as the variable names them: for a program that this one starts. Empty: none. */
export const tracedAreas = (): string => traced.join(',');

/**
 * Runs `work`; in an area that is on, traces when it is done: how long it took and, if it failed, why.
 */
export async function traceCall<T>(
  area: TraceArea,
  message: string,
  variables: Readonly<Record<string, unknown>>,
  work: () => Promise<T>,
): Promise<T> {
  const tracer = trace(area);
  if (tracer === undefined) return work();
  const startMs = Date.now();
  try {
    const result = await work();
    tracer(message, { ...variables, ms: Date.now() - startMs });
    return result;
  } catch (error) {
    tracer(message, { ...variables, ms: Date.now() - startMs, error });
    throw error;
  }
}
