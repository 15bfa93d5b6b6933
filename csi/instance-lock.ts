import { open, readFile, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { Fault } from '../proto/fault.ts';
import { isOutOfSpace } from '../runtime/system/node/errno.ts';
import type { HostCalls, HostLock } from './host-calls.ts';

/** A server that was killed has a helper with its locks, which ends a moment later: when it reads the end of its socket. */
const ATTEMPTS = 50;
const INTERVAL_MS = 20;

/**
 * Keeps a second server out of a directory for as long as this one lives: what one of them sweeps at its start is what
 * the other one is building. `noun` names the directory in the refusal, `owner` is who the next one will read of.
 */
export async function lockDirectory(
  host: HostCalls,
  directory: string,
  noun: string,
  owner: string,
): Promise<HostLock> {
  const path = `${directory}/lock`;
  await ensureFile(path);
  const lock = await takeSoon(host, path);
  if (lock === undefined) {
    const holder = (await readFile(path, 'utf8').catch(() => '')).trim() || 'another process';
    throw new Fault('busy', `${noun} ${directory} is in use by ${holder}`, { fields: { path, holder } });
  }
  try {
    await writeFile(path, `${owner}\n`);
  } catch (cause) {
    // A full file system must not keep the server from starting: only then can volumes be deleted.
    if (!isOutOfSpace(cause)) {
      await lock.release();
      throw new Fault('io', `could not write ${path}`, { fields: { path }, cause });
    }
  }
  return lock;
}

async function ensureFile(path: string): Promise<void> {
  try {
    await (await open(path, 'a', 0o600)).close();
  } catch (cause) {
    throw new Fault('io', `could not open the lock ${path}`, { fields: { path }, cause });
  }
}

async function takeSoon(host: HostCalls, path: string): Promise<HostLock | undefined> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
    const lock = await host.tryLock(path);
    if (lock !== undefined) return lock;
    await setTimeout(INTERVAL_MS);
  }
  return host.tryLock(path);
}
