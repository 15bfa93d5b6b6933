import { Fault } from '../../proto/fault.ts';
import { OWNERSHIP_POLICIES } from '../../proto/volume-class.ts';
import { S_IF, S_IFMT, type Stat } from '../system/native/sys.ts';

/** Whose the content of a volume is to be: AgentStorage's `ownership`. */
export interface Ownership {
  readonly gid: number;
  readonly policy: string;
}

const SETGID = 0o2000;
const GROUP_ACCESS = 0o770;

/**
 * Whether the volume with this root must be handed to its group, by the policies of a pod's fsGroupChangePolicy. The
 * root is handed over last, so that it tells, under OnRootMismatch, of all that is below it.
 */
export function needsHandOver(root: Stat, { gid, policy }: Ownership): boolean {
  if (!OWNERSHIP_POLICIES.some((known) => known === policy)) {
    throw new Fault(
      'invalid',
      `the ownership policy ${JSON.stringify(policy)} is not ${OWNERSHIP_POLICIES.join(' or ')}`,
    );
  }
  const wanted = SETGID | GROUP_ACCESS;
  const isGiven = root.gid === gid && (root.mode & S_IFMT) === S_IF.DIR && (root.mode & wanted) === wanted;
  return policy === 'Always' || !isGiven;
}
