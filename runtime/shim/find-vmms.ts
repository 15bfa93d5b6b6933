import type { ProcessIdentity } from '../../proto/sandbox-record.ts';
import { forgive } from '../system/native/errors.ts';
import { readProcessIdentity } from '../system/native/process-identity.ts';
import { sys } from '../system/native/sys.ts';

/** A process may end while it is looked at, or belong to a namespace that we may not look into. */
const NOT_TO_BE_SEEN = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'];

/**
 * Every VMM of the pod whose VMM writes its log to this file, recorded or not: its standard output is that file, from
 * before its first instruction on, and no name or number that another process could have had decides.
 */
export function findVmms(logPath: string): readonly ProcessIdentity[] {
  const log = sys.stat(logPath);
  if (log === null) return [];
  return sys
    .readdir('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const output = forgive(NOT_TO_BE_SEEN, null, () => sys.stat(`/proc/${pid}/fd/1`));
      return output?.ino === log.ino && output.dev === log.dev;
    })
    .map((pid) => readProcessIdentity(Number(pid)))
    .filter((identity) => identity !== undefined);
}
