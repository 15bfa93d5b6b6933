import type { System } from '../port.ts';
import { attempt, forgive } from './errors.ts';
import { ensureDirectory, removeEntry, replaceFile } from './file.ts';
import { run } from './run.ts';
import { sys } from './sys.ts';
import { connectUnix, listenUnix } from './unix-socket.ts';

const ABSENCE = ['ENOENT', 'ENOTDIR'];

/** The port on the native host: for the static binary. Its file verbs block the loop while the disk works. */
const nativeSystem: System = {
  readFile: async (path) =>
    attempt(`could not read ${path}`, () => forgive(ABSENCE, undefined, () => sys.readFile(path))),
  writeFile: async (path, data, options) => replaceFile(path, data, options),
  remove: async (path, options = { durable: false }) => removeEntry(path, options),
  list: async (directory) =>
    attempt(`could not list ${directory}`, () => forgive(ABSENCE, [], () => sys.readdir(directory).sort())),
  makeDirectory: async (path, mode) => ensureDirectory(path, mode),
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
