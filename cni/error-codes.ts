import { Fault, type FaultCode } from '../proto/fault.ts';
import { isErrno } from '../runtime/system/native/errors.ts';

/**
 * Codes below 100 are those of the specification (CNI 1.1.0, section 5, "Error"); from 100 on they are ours. 3, an
 * unknown container, is never answered: an engine takes it that there is nothing to clear up, of the plugins before
 * either.
 */
export const CNI_CODE_OF_FAULT = {
  invalid: 7,
  malformed: 6,
  'out-of-range': 7,
  'not-found': 100,
  exists: 101,
  precondition: 102,
  exhausted: 103,
  unsupported: 104,
  environment: 105,
  exec: 106,
  io: 5,
  busy: 11,
  timeout: 11,
  // ErrInternal of libcni.
  internal: 999,
} as const satisfies Record<FaultCode, number>;

const INCOMPATIBLE_VERSION = 1;
const UNSUPPORTED_FIELD = 2;
const INVALID_VARIABLES = 4;
const NOT_AVAILABLE = 50;

/** For the codes that name a subject, which no FaultCode does. `message` holds the version that was asked for. */
export const versionFault = (message: string): Fault =>
  new Fault('unsupported', message, { fields: { cniCode: INCOMPATIBLE_VERSION } });

/** For a key that is well-formed and not supported in this configuration. `reason` follows the key and its value. */
export const fieldFault = (key: string, value: unknown, reason: string): Fault =>
  new Fault('unsupported', `network configuration: ${key}: ${JSON.stringify(value)} is not supported ${reason}`, {
    fields: { cniCode: UNSUPPORTED_FIELD },
  });

/** `message` holds the names of the environment variables, as the specification demands. */
export const variableFault = (message: string, cause?: unknown): Fault =>
  new Fault('invalid', message, { fields: { cniCode: INVALID_VARIABLES }, cause });

/** For STATUS: the plugin cannot serve ADD. */
export const notAvailableFault = (message: string): Fault =>
  new Fault('environment', message, { fields: { cniCode: NOT_AVAILABLE } });

/** With what mends a refusal of the operating system, where its own words do not tell. */
export function sayWayOut(fault: Fault): Fault {
  const { code, message, fields, cause } = fault;
  if (code === 'io' && isErrno(fault, 'ENOSPC', 'EDQUOT')) {
    return new Fault('exhausted', `${message}; make room there`, { fields, cause });
  }
  if (!isErrno(fault, 'EACCES', 'EPERM') && !['EACCES', 'EPERM'].includes(String(fields['errno']))) return fault;
  return new Fault(code, `${message}; berth must be root, with CAP_NET_ADMIN and CAP_SYS_ADMIN`, { fields, cause });
}

export function cniCodeOf(fault: Fault): number {
  const subject = fault.fields['cniCode'];
  return typeof subject === 'number' ? subject : CNI_CODE_OF_FAULT[fault.code];
}
