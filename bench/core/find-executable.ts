import { access, constants } from 'node:fs/promises';

/** The path itself, if a program is there. */
export async function findExecutable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
