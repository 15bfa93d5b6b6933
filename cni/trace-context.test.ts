import { expect, it } from 'vitest';
import { parseTraceId } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

it.each([
  [undefined, undefined],
  ['', undefined],
  [`00-${TRACE}-${SPAN}-01`, TRACE],
  [`cc-${TRACE}-${SPAN}-00-more`, TRACE],
  [`00-${TRACE}-${SPAN}-01-more`, 'malformed'],
  [`00-${TRACE.toUpperCase()}-${SPAN}-01`, 'malformed'],
  [`ff-${TRACE}-${SPAN}-01`, 'malformed'],
  [`00-${'0'.repeat(32)}-${SPAN}-01`, 'malformed'],
  [`00-${TRACE}-${'0'.repeat(16)}-01`, 'malformed'],
  [`00-${TRACE}-${SPAN}`, 'malformed'],
  ['nonsense', 'malformed'],
])('TRACEPARENT %j has the trace id %j', (text, traceId) => {
  expect(parseTraceId(text)).toBe(traceId);
});
