import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { Fault } from '../proto/fault.ts';
import { toServiceError } from './status.ts';

it('gives a Fault its code and the whole chain of its causes', () => {
  const fault = new Fault('exhausted', 'no room', { cause: new Error('ENOSPC') });
  expect(toServiceError(fault)).toEqual({ code: status.RESOURCE_EXHAUSTED, details: 'no room: ENOSPC' });
  expect(toServiceError(new Fault('out-of-range', 'x')).code).toBe(status.OUT_OF_RANGE);
});

it.each(['malformed', 'unsupported'] as const)('does not blame the caller for a record that is %s', (code) => {
  expect(toServiceError(new Fault(code, 'spec.json')).code).toBe(status.INTERNAL);
});

it('tells a client nothing of what it does not expect', () => {
  const { code, details } = toServiceError(new TypeError('secret detail'));
  expect(code).toBe(status.INTERNAL);
  expect(details).not.toMatch(/secret|TypeError|at /);
});

it('fits the header', () => {
  expect(toServiceError(new Fault('invalid', 'x'.repeat(9000))).details).toHaveLength(2000);
});

it.each(['😀'.repeat(2000), `a${'😀'.repeat(2000)}`, '\ud800'])('is text that a header can carry', (message) => {
  expect(() => encodeURI(toServiceError(new Fault('invalid', message)).details)).not.toThrow();
});
