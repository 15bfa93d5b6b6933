import { Fault } from '../../../proto/fault.ts';
import { attempt, isErrno } from '../../system/native/errors.ts';
import { SIG, sys } from '../../system/native/sys.ts';
import { encodeFilter } from './filter.ts';

/** linux/prctl.h */
const PR_SET_PDEATHSIG = 1;
const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;

export interface Privileges {
  /** Also the group. */
  readonly uid: number;
  /** Capabilities that outlive exec. */
  readonly kept: readonly number[];
  readonly endsWithParent: boolean;
}

/** From root to a user that owns nothing and can become nothing else. */
export function dropPrivileges({ uid, kept, endsWithParent }: Privileges): void {
  const parent = sys.getppid();
  attempt("could not give up the VMM's privileges", () => {
    limitBoundingSet(kept);
    sys.setgroups();
    sys.setresgid(uid);
    sys.prctl(PR_SET_KEEPCAPS, 1, 0);
    sys.setresuid(uid);
    sys.capset(kept.reduce((mask, capability) => mask + 2 ** capability, 0));
    for (const capability of kept) sys.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
    sys.prctl(PR_SET_NO_NEW_PRIVS, 1, 0);
    sys.seccomp(encodeFilter());
    // The kernel forgets it when a process becomes another user.
    if (endsWithParent) sys.prctl(PR_SET_PDEATHSIG, SIG.KILL, 0);
  });
  if (endsWithParent && sys.getppid() !== parent) throw new Fault('exec', 'the shim ended while its VMM was started');
}

/** Asks for every capability that this kernel knows; the first that it does not know is refused. */
function limitBoundingSet(kept: readonly number[]): void {
  try {
    for (let capability = 0; ; capability += 1) {
      if (!kept.includes(capability)) sys.prctl(PR_CAPBSET_DROP, capability, 0);
    }
  } catch (error) {
    if (!isErrno(error, 'EINVAL')) throw error;
  }
}
