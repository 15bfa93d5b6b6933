import { Fault, type FaultFields } from '../../../proto/fault.ts';
import type { SysError } from './sys.ts';

export function isSysError(error: unknown): error is SysError {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** Whether a system call failed with one of these errno names; also through the Fault that wraps it. */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  const failure = error instanceof Fault ? error.cause : error;
  return isSysError(failure) && names.includes(failure.code);
}

/** Nothing at that path: expected by most callers. */
export const isAbsence = (error: unknown): boolean => isErrno(error, 'ENOENT', 'ENOTDIR');

/** A failed system call as a Fault `io` with `message`; a Fault, and a defect of ours, as it is. */
export function ioFault(error: unknown, message: string, fields?: FaultFields): unknown {
  if (!isSysError(error)) return error;
  return new Fault('io', message, fields === undefined ? { cause: error } : { fields, cause: error });
}

/** Runs system calls; their failure is a Fault `io` with `message`. */
export function attempt<T>(message: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw ioFault(error, message);
  }
}

/** The answer of `body`, or `absent` where a system call failed with one of the errno names. */
export function forgive<T, A>(names: readonly string[], absent: A, body: () => T): T | A {
  try {
    return body();
  } catch (error) {
    if (isErrno(error, ...names)) return absent;
    throw error;
  }
}
