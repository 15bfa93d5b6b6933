import { FAILPOINT_MARK, FAILPOINTS, type Failpoint } from '../../runtime/system/failpoint.ts';

/** A moment in the run of a program, as BERTH_FAILPOINT names it: `file.renamed:2`. */
export type Pass = `${Failpoint}:${number}`;

/** What a program has passed while BERTH_FAILPOINT was `?`, in order. */
export function parsePasses(stderr: string): Pass[] {
  const counts = new Map<Failpoint, number>();
  return stderr.split('\n').flatMap((line) => {
    const name = line.startsWith(FAILPOINT_MARK) ? line.slice(FAILPOINT_MARK.length) : undefined;
    if (name === undefined || !isFailpoint(name)) return [];
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    return [`${name}:${nth}` as const];
  });
}

/** The points that a program's crash tests have to reach. */
export const failpointsOf = (program: 'csi' | 'csi-node' | 'csi-snapshots' | 'cni' | 'shim'): Failpoint[] =>
  names.filter((name) => FAILPOINTS[name].some((reached) => reached === program)).sort();

/** Each of them once. */
export const pointsOf = (passes: readonly Pass[]): Failpoint[] =>
  names.filter((name) => passes.some((pass) => pass.startsWith(`${name}:`))).sort();

const names = Object.keys(FAILPOINTS).filter(isFailpoint);

function isFailpoint(name: string): name is Failpoint {
  return Object.hasOwn(FAILPOINTS, name);
}
