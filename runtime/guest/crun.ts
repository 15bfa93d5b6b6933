import { Fault } from '../../proto/fault.ts';
import type { Completed } from '../system/port.ts';

const STATE_DIRECTORY = '/run/berth/crun';

/** What one container's crun needs to know. */
export interface CrunContainer {
  readonly id: string;
  readonly bundle: string;
  readonly pidFile: string;
  /** Where crun writes what it has to say: its own stderr is the container's. */
  readonly logFile: string;
}

const globals = ({ logFile }: CrunContainer): string[] => [
  ...['crun', '--root', STATE_DIRECTORY, '--cgroup-manager=cgroupfs'],
  ...['--log', logFile, '--log-format=text'],
];

export const crunCreate = (container: CrunContainer): readonly string[] => [
  ...[...globals(container), 'create', '--bundle', container.bundle],
  ...['--pid-file', container.pidFile, container.id],
];

export const crunStart = (container: CrunContainer): readonly string[] => [
  ...globals(container),
  'start',
  container.id,
];

/** Signals every process of the container. */
export const crunKillAll = (container: CrunContainer, signal: number): readonly string[] => [
  ...[...globals(container), 'kill', '--all', container.id, String(signal)],
];

/** Kills what still runs and removes the state and the cgroup; content with a container that is not there. */
export const crunDelete = (container: CrunContainer): readonly string[] => [
  ...[...globals(container), 'delete', '--force', container.id],
];

/** crun's last words say why; before them come warnings and the times that its log puts in front. */
export function crunFault(verb: string, id: string, { exitCode, stderr }: Completed, logged: string): Fault {
  const words = `${logged}\n${new TextDecoder().decode(stderr)}`
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\d{2}-\d{2}T\S+:?\s+/, '').trim())
    .filter(Boolean);
  const reason = words.at(-1) ?? `it ended with ${exitCode} and said nothing`;
  return new Fault('exec', `crun could not ${verb} container ${id}: ${reason}`, {
    fields: { containerId: id, exitCode, stderr: words.join('\n') },
  });
}

/** The pid that crun wrote. */
export function parsePidFile(text: string | undefined, id: string): number {
  const pid = Number((text ?? '').trim());
  if (Number.isSafeInteger(pid) && pid > 1) return pid;
  throw new Fault('internal', `crun wrote ${JSON.stringify(text)} as the pid of container ${id}`);
}
