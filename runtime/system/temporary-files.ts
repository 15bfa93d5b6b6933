import type { Files } from './port.ts';

/** What `Files.writeFile` adds to the name of the file that it replaces. */
const SUFFIX = /\.[0-9a-f]{12}\.tmp$/;

/**
 * Removes what writers that were killed before their rename have left in a directory: of the file `name`, or of all
 * files. Only for who knows that nobody is writing there: a writer whose file vanishes fails.
 */
export async function ensureNoTemporaryFiles(files: Files, directory: string, name?: string): Promise<void> {
  for (const found of await files.list(directory)) {
    if (name !== undefined && !found.startsWith(name)) continue;
    const isTemporary = SUFFIX.test(found) && (name === undefined || found.replace(SUFFIX, '') === name);
    if (isTemporary) await files.remove(`${directory}/${found}`);
  }
}
