/** W3C Trace Context, section 3.2: version, trace id, parent id, flags; versions to come may add fields. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

/**
 * The id by which a container engine finds the lines of one call again; undefined if there is none, `malformed` for
 * what is none: that is no reason to leave a pod without a network.
 */
export function parseTraceId(traceparent: string | undefined): string | 'malformed' | undefined {
  if (traceparent === undefined || traceparent === '') return undefined;
  const [, traceId = 'malformed', more] = TRACEPARENT.exec(traceparent) ?? [];
  return more !== undefined && traceparent.startsWith('00') ? 'malformed' : traceId;
}
