import type { System } from '../port.ts';
import { attempt, forgive } from './errors.ts';
import { ABSENCE, nativeFiles } from './files.ts';
import { readTail } from './read-tail.ts';
import { run } from './run.ts';
import { sys } from './sys.ts';
import { connectUnix, listenUnix } from './unix-socket.ts';

/** The port on the native host: for the static binary. Its file verbs block the loop while the disk works. */
const nativeSystem: System = {
  ...nativeFiles,
  readTail: async (path, maxBytes) =>
    attempt(`could not read ${path}`, () => forgive(ABSENCE, undefined, () => readTail(path, maxBytes))),
  connect: connectUnix,
  listen: async (path, accept) => listenUnix(path, accept),
  run,
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  now: () => sys.now(),
  randomBytes: (length) => sys.getrandom(length),
};

export function createNativeSystem(): System {
  return nativeSystem;
}
