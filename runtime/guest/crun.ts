import { Fault } from '../../proto/fault.ts';

const STATE_DIRECTORY = '/run/berth/crun';

/** What one container's crun needs to know. */
export interface CrunContainer {
  readonly id: string;
  readonly bundle: string;
  readonly pidFile: string;
  /** Where crun says why it did not create the container: its own stderr is the container's. */
  readonly logFile: string;
}

const CRUN = ['crun', '--root', STATE_DIRECTORY, '--cgroup-manager=cgroupfs'];

export const crunCreate = ({ id, bundle, pidFile, logFile }: CrunContainer): readonly string[] => [
  ...[...CRUN, '--log', logFile, '--log-format=text'],
  ...['create', '--bundle', bundle, '--pid-file', pidFile, id],
];

export const crunStart = ({ id }: CrunContainer): readonly string[] => [...CRUN, 'start', id];

/** Signals every process of the container. */
export const crunKillAll = ({ id }: CrunContainer, signal: number): readonly string[] => [
  ...[...CRUN, 'kill', '--all', id, String(signal)],
];

/** Kills what still runs and removes the state and the cgroup; content with a container that is not there. */
export const crunDelete = ({ id }: CrunContainer): readonly string[] => [...CRUN, 'delete', '--force', id];

/** The last of what crun said is why; warnings come before it. */
export function crunFault(verb: string, id: string, exitCode: number, said: string): Fault {
  const stderr = said.trim();
  const reason = stderr.split('\n').at(-1) || `it ended with ${exitCode} and said nothing`;
  return new Fault('exec', `crun could not ${verb} container ${id}: ${reason}`, {
    fields: { containerId: id, exitCode, stderr },
  });
}

/** The pid that crun wrote. */
export function parsePidFile(text: string | undefined, id: string): number {
  const pid = Number((text ?? '').trim());
  if (Number.isSafeInteger(pid) && pid > 1) return pid;
  throw new Fault('internal', `crun wrote ${JSON.stringify(text)} as the pid of container ${id}`);
}
