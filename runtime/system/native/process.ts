import { Fault } from '../../../proto/fault.ts';
import { isErrno } from './errors.ts';
import { type Exit, SIG, type SpawnRequest, sys, WNOHANG } from './sys.ts';

const PR_SET_CHILD_SUBREAPER = 36;
const SIGINFO_BYTES = 128;
/** Ends of adopted children that nobody has asked for yet. Asking comes within milliseconds; orphans come in bursts. */
const REMEMBERED_EXITS = 1024;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Child {
  readonly pid: number;
  readonly exited: Promise<Exit>;
}

/**
 * The only place that waits for children: a second waiter would steal what the first waits for. While somebody waits, or
 * orphans are adopted, one signalfd tells of SIGCHLD, and all that have ended are reaped.
 */
const waiting = new Map<number, ((exit: Exit) => void)[]>();
const unclaimed = new Map<number, Exit>();
let signals: number | undefined;
let adopts = false;

/** Starts a program. Fault `environment` if there is none, `exec` if it cannot be started otherwise. */
export function spawnChild(request: SpawnRequest): Child {
  // Before the child: its SIGCHLD must find the signal blocked.
  signals ??= sys.signalfd([SIG.CHLD]);
  const pid = startProgram(request);
  unclaimed.delete(pid);
  return { pid, exited: claim(pid) };
}

/** Makes this process the parent of its descendants' orphans, and reaps them. PID 1 is so by nature. */
export function adoptOrphans(): void {
  if (sys.getpid() !== 1) sys.prctl(PR_SET_CHILD_SUBREAPER, 1, 0);
  adopts = true;
  watchSignals();
}

/**
 * The end of a process that is, or will be, adopted: a daemon whose pid comes from a pid file. Answers also when it was
 * reaped before the call. Fault `not-found` if there is no such process and none was reaped lately.
 */
export async function awaitPid(pid: number): Promise<Exit> {
  // A process of that number outranks a remembered end: the number has been used again.
  if (exists(pid)) {
    unclaimed.delete(pid);
    return claim(pid);
  }
  const exit = unclaimed.get(pid);
  if (exit === undefined) throw new Fault('not-found', `there is no process ${pid}, and none was reaped here`);
  unclaimed.delete(pid);
  return exit;
}

/** The own environment as programs need it: with a PATH (PID 1 is given none), and speaking English. */
function childEnvironment(): Record<string, string> {
  const own = sys.env();
  return { ...own, PATH: searchPath(), LC_ALL: 'C' };
}

/** Where programs are searched for. */
export const searchPath = (): string => sys.env()['PATH'] || SYSTEM_PATH;

/** KEY=value, as SpawnRequest wants it. */
export function toEnvironmentList(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}

/** Exit status as a shell gives it: 128 + signal number for a child that a signal ended. */
export const toExitCode = (exit: Exit): number => (exit.signal === 0 ? exit.code : 128 + exit.signal);

function startProgram(request: SpawnRequest): number {
  const file = request.file ?? request.argv[0] ?? '';
  try {
    return sys.spawn({ env: toEnvironmentList(childEnvironment()), ...request });
  } catch (error) {
    const isMissing = isErrno(error, 'ENOENT') && (error as { syscall?: string }).syscall === 'exec';
    if (isMissing) {
      throw new Fault('environment', `the program ${file} is not installed`, { fields: { file }, cause: error });
    }
    throw new Fault('exec', `${file} could not be started`, { fields: { file }, cause: error });
  }
}

function exists(pid: number): boolean {
  try {
    sys.kill(pid, 0);
    return true;
  } catch (error) {
    return !isErrno(error, 'ESRCH');
  }
}

function claim(pid: number): Promise<Exit> {
  return new Promise((resolve) => {
    waiting.set(pid, [...(waiting.get(pid) ?? []), resolve]);
    watchSignals();
  });
}

/** Watched only while there is something to wait for: a program without children may end. */
function watchSignals(): void {
  signals ??= sys.signalfd([SIG.CHLD]);
  sys.watch(signals, adopts || waiting.size > 0 ? reap : null, null);
}

function reap(): void {
  if (signals !== undefined) sys.read(signals, new Uint8Array(SIGINFO_BYTES));
  // One signal may stand for many children.
  for (let exit = sys.waitpid(-1, WNOHANG); exit !== null; exit = sys.waitpid(-1, WNOHANG)) {
    const claims = waiting.get(exit.pid);
    waiting.delete(exit.pid);
    if (claims === undefined) remember(exit);
    else for (const resolve of claims) resolve(exit);
  }
  watchSignals();
}

function remember(exit: Exit): void {
  unclaimed.delete(exit.pid);
  unclaimed.set(exit.pid, exit);
  if (unclaimed.size <= REMEMBERED_EXITS) return;
  const [oldest] = unclaimed.keys();
  if (oldest !== undefined) unclaimed.delete(oldest);
}
