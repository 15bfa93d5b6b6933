import { randomBytes } from 'node:crypto';
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Fault } from '../../../proto/fault.ts';
import { failpoint } from '../failpoint.ts';
import type { System, WriteOptions } from '../port.ts';
import { errorCode } from './errno.ts';
import { run } from './exec.ts';
import { readWhole } from './read-whole.ts';
import { connectUnix, listenUnix } from './unix-socket.ts';

const nodeSystem: System = {
  readFile: (path) =>
    attempt(`could not read ${path}`, async () => {
      try {
        return new Uint8Array(await readWhole(path));
      } catch (error) {
        if (isAbsence(error)) return undefined;
        throw error;
      }
    }),
  readTail: (path, maxBytes) =>
    attempt(`could not read ${path}`, async () => {
      try {
        return await readTail(path, maxBytes);
      } catch (error) {
        if (isAbsence(error)) return undefined;
        throw error;
      }
    }),
  writeFile: (path, data, options) =>
    attempt(`could not write ${path}`, async () => {
      if (options.durable) await replaceDurably(path, data, options);
      else replaceAtOnce(path, data, options);
    }),
  remove: (path, { durable } = { durable: false }) =>
    attempt(`could not remove ${path}`, async () => {
      const removed = await removeEntry(path);
      if (removed) failpoint('file.removed');
      if (removed && durable) await syncDirectory(dirname(path));
      return removed;
    }),
  list: (directory) =>
    attempt(`could not list ${directory}`, async () => {
      try {
        return (await readdir(directory)).sort();
      } catch (error) {
        if (isAbsence(error)) return [];
        throw error;
      }
    }),
  makeDirectory: (path, mode) =>
    attempt(`could not make the directory ${path}`, async () => {
      const made = await mkdir(path, { recursive: true, mode });
      if (made !== undefined) failpoint('directory.made');
    }),
  connect: connectUnix,
  listen: listenUnix,
  run,
  sleep: (milliseconds) => setTimeout(milliseconds),
  now: () => performance.now(),
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
};

/** The port on Node: for servers, the CLI and tests. */
export function createNodeSystem(): System {
  return nodeSystem;
}

async function readTail(path: string, maxBytes: number): Promise<Uint8Array> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const bytes = new Uint8Array(Math.min(size, maxBytes));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Makes what happened to a directory's names survive a crash. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  failpoint('directory.synced');
}

/**
 * What need not be durable is in /run: nobody waits for a disk there, and turns in the thread pool would take many times
 * as long as all there is to do.
 */
function replaceAtOnce(path: string, data: Uint8Array, { mode }: WriteOptions): void {
  const temporary = temporaryOf(path);
  try {
    writeFileSync(temporary, data, { flag: 'wx', mode });
    chmodSync(temporary, mode); // whatever the umask
    failpoint('file.temporary');
    renameSync(temporary, path);
    failpoint('file.renamed');
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

async function replaceDurably(path: string, data: Uint8Array, { mode }: WriteOptions): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(temporary, mode); // whatever the umask
    failpoint('file.temporary');
    await rename(temporary, path);
    failpoint('file.renamed');
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

const temporaryOf = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`;

async function removeEntry(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    if (errorCode(error) !== 'EISDIR' && errorCode(error) !== 'EPERM') throw error;
  }
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  return errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR';
}

/** Everything that the file system refuses is a Fault `io` whose cause carries the errno name. */
async function attempt<T>(failure: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('io', failure, { cause });
  }
}
