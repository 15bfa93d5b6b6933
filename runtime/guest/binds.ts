import { Fault } from '../../proto/fault.ts';
import { guestBindPath } from '../../proto/guest-layout.ts';
import { attempt } from '../system/native/errors.ts';
import { ensureDirectory, removeEntry } from '../system/native/file.ts';
import { S_IF, S_IFMT, sys } from '../system/native/sys.ts';
import type { Undo } from '../system/undo.ts';
import { ensureNoDirectory, ensureUnmounted, listNames, writeText } from './files.ts';
import { MS } from './mount-flags.ts';
import { openPlace } from './sub-path.ts';
import type { Volumes } from './volume.ts';

/** A part of a volume for a container: AgentMethods' `bind`. */
export interface BindRequest {
  readonly name: string;
  readonly serial: string;
  readonly subPath: string;
}

/** Mounts the places of volumes that a container's specification names as sources. */
export function mountBinds(containerId: string, binds: readonly BindRequest[], volumes: Volumes, undo: Undo): void {
  undo.defer(`binds of ${containerId}`, () => ensureNoBinds(containerId));
  for (const bind of binds) mountBind(guestBindPath(containerId, parseName(bind.name)), bind, volumes);
}

/** Content with a container that has none. */
export function ensureNoBinds(containerId: string): void {
  const directory = guestBindPath(containerId, '');
  for (const name of listNames(directory)) {
    ensureUnmounted(`${directory}${name}`);
    removeEntry(`${directory}${name}`, { durable: false });
  }
  ensureNoDirectory(directory);
}

/** Without an await between the look at a freeze and the end: nothing can freeze the volume meanwhile. */
function mountBind(target: string, { serial, subPath }: BindRequest, volumes: Volumes): void {
  const place = openPlace({ serial, subPath, ...volumes.rootOf(serial) });
  try {
    const isDirectory = (sys.fstat(place).mode & S_IFMT) === S_IF.DIR;
    ensureDirectory(isDirectory ? target : target.slice(0, target.lastIndexOf('/')), 0o755);
    if (!isDirectory) writeText(target, '');
    attempt(`the sub path ${JSON.stringify(subPath)} of disk ${serial} could not be bound`, () =>
      sys.mount(`/proc/self/fd/${place}`, target, null, MS.BIND, null),
    );
  } finally {
    sys.close(place);
  }
}

/** The name becomes a file. */
function parseName(name: string): string {
  if (/^[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,127}$/.test(name)) return name;
  throw new Fault('invalid', `bind name ${JSON.stringify(name)} is not at most 128 letters, digits, "_", "." and "-"`);
}
