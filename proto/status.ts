import { Fault, type FaultCode, type FaultFields } from './fault.ts';

/** Status codes shared by gRPC and ttrpc (google.rpc.Code), as far as berth answers them. */
export const STATUS_OF_FAULT = {
  invalid: 3, // INVALID_ARGUMENT
  malformed: 3,
  'not-found': 5, // NOT_FOUND
  exists: 6, // ALREADY_EXISTS
  'out-of-range': 11, // OUT_OF_RANGE
  precondition: 9, // FAILED_PRECONDITION
  busy: 10, // ABORTED
  exhausted: 8, // RESOURCE_EXHAUSTED
  unsupported: 12, // UNIMPLEMENTED
  environment: 14, // UNAVAILABLE
  exec: 13, // INTERNAL
  io: 13,
  timeout: 4, // DEADLINE_EXCEEDED
  internal: 13,
} as const satisfies Record<FaultCode, number>;

/** For statuses of peers that send no Fault of their own: the nearest code. */
const FAULT_OF_STATUS: Readonly<Record<number, FaultCode>> = {
  3: 'invalid',
  4: 'timeout',
  5: 'not-found',
  6: 'exists',
  8: 'exhausted',
  9: 'precondition',
  10: 'busy',
  11: 'out-of-range',
  12: 'unsupported',
  14: 'environment',
};

export function faultOfStatus(status: number, message: string, fields?: FaultFields): Fault {
  return new Fault(FAULT_OF_STATUS[status] ?? 'internal', message, fields ? { fields } : {});
}
