import type { Files } from '../port.ts';
import { attempt, forgive } from './errors.ts';
import { ensureDirectory, removeEntry, replaceFile } from './file.ts';
import { sys } from './sys.ts';

/** What a path leads to is not there. */
export const ABSENCE = ['ENOENT', 'ENOTDIR'];

/** The port's file verbs on the native host. They block the loop while the disk works. */
export const nativeFiles: Files = {
  readFile: async (path) => attempt(`could not read ${path}`, () => sys.findFile(path) ?? undefined),
  writeFile: async (path, data, options) => replaceFile(path, data, options),
  remove: async (path, options = { durable: false }) => removeEntry(path, options),
  list: async (directory) =>
    attempt(`could not list ${directory}`, () => forgive(ABSENCE, [], () => sys.readdir(directory).sort())),
  makeDirectory: async (path, mode) => ensureDirectory(path, mode),
};
