import { Fault, type FaultCode } from '../../proto/fault.ts';
import { isSysError } from '../../runtime/system/native/errors.ts';

/** What an errno means for whoever asked, where it is not just that the kernel refused. */
const MEANINGS: Readonly<Record<string, FaultCode>> = {
  ENOENT: 'not-found',
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  EFBIG: 'exhausted',
  EOPNOTSUPP: 'unsupported',
  ENOTTY: 'unsupported',
};

/** Runs system calls; their failure is a Fault with `message`, the path, and the errno name in a field. */
export function orRefuse<T>(
  message: string,
  path: string,
  body: () => T,
  meanings: Readonly<Record<string, FaultCode>> = {},
): T {
  try {
    return body();
  } catch (error) {
    if (!isSysError(error)) throw error;
    const code = meanings[error.code] ?? MEANINGS[error.code] ?? 'io';
    throw new Fault(code, message, { fields: { path, errno: error.code }, cause: error });
  }
}
