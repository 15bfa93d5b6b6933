import { randomBytes } from 'node:crypto';
import { access, mkdir, readdir, rename, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { contentHash } from './content-hash.ts';
import { withMachineLock } from './machine-lock.ts';
import { timed } from './progress.ts';

const PARTIAL = '.partial-';
const ENTRY = /^[a-z-]+-[0-9a-f]{16}$/;
const UNUSED_AFTER_MS = 30 * 24 * 3600 * 1000;

/** What set-up made and any checkout of this machine may use: outside the checkout, so that a fresh clone is fast. */
export const cacheRoot = (): string => process.env['BERTH_CACHE_DIR'] ?? '/var/cache/berth';

/** Something that takes long to make and depends on nothing but its inputs. */
export interface CacheEntry {
  /** Short noun of the directory's name: `toolchain`. */
  readonly name: string;
  /** What a person reads while it is made: `guest image`. */
  readonly title: string;
  /** Everything that decides the content: package lists, scripts. */
  readonly inputs: readonly (string | Uint8Array)[];
  /** Fills the empty directory. */
  readonly fill: (directory: string) => Promise<void>;
}

/**
 * The entry's directory, filled by this process unless it was before. It is made under another name and renamed when it
 * is whole and on disk: whatever carries the final name is complete, and what was left half-made is removed.
 */
export async function ensureCached(entry: CacheEntry): Promise<string> {
  const root = cacheRoot();
  const directory = join(root, `${entry.name}-${contentHash(entry.inputs).slice(0, 16)}`);
  if (await isPresent(directory)) return directory;
  return withMachineLock(join(root, 'lock'), async () => {
    await sweep(root);
    if (await isPresent(directory)) return directory;
    const partial = join(root, `${PARTIAL}${entry.name}-${randomBytes(6).toString('hex')}`);
    await timed(`setup: ${entry.title}`, async () => {
      await mkdir(partial, { mode: 0o755 });
      try {
        await entry.fill(partial);
        await execa('sync', ['--file-system', partial]);
        await rename(partial, directory);
      } catch (error) {
        await removeTree(partial);
        throw error;
      }
    });
    return directory;
  });
}

/**
 * Removes half-made entries, and those that no checkout has asked for in a month. Only under the lock: nobody else's
 * half-made entry can be there. What is not named like an entry is not ours: BERTH_CACHE_DIR may be shared with others.
 */
async function sweep(root: string): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(root, entry.name);
    if (entry.name.startsWith(PARTIAL) || (ENTRY.test(entry.name) && (await isUnused(path)))) await removeTree(path);
  }
}

const isUnused = async (path: string): Promise<boolean> => Date.now() - (await stat(path)).mtimeMs > UNUSED_AFTER_MS;

/** Stays on its file system: a tree of packages may have had /dev or /proc of this machine mounted in it. */
async function removeTree(directory: string): Promise<void> {
  const { failed, stderr } = await execa('rm', ['--recursive', '--force', '--one-file-system', directory], {
    reject: false,
  });
  if (failed) {
    throw new Fault('busy', `${directory} cannot be removed; unmount what is mounted below it (findmnt)`, {
      cause: new Error(stderr),
    });
  }
}

async function isPresent(directory: string): Promise<boolean> {
  try {
    await access(directory);
  } catch {
    return false;
  }
  // The time of last use, which sweep goes by.
  const now = new Date();
  await utimes(directory, now, now);
  return true;
}
