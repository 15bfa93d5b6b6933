import { constants } from 'node:fs';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { run } from '../../../runtime/system/node/exec.ts';
import type { HostCalls } from '../../host-calls.ts';
import type { PoolFeatures } from '../port.ts';
import { fileSystemOf } from './file-system.ts';
import { type ImageFilePaths, uniqueName } from './paths.ts';
import { isForSpace, type Reserve } from './reserve.ts';

const PROBE_BYTES = 64 << 10;

/** Of a pool that is too full to try anything: it must be opened all the same, so that volumes can be deleted. */
const UNKNOWN: PoolFeatures = {
  snapshots: 'copy',
  directIo: true,
  reason: 'a file system so full that nothing could be tried on it: make room, and start again',
};

/** What the pool's file system can do, found by doing it: a name and a version promise nothing. */
export async function probeFeatures(
  host: HostCalls,
  paths: ImageFilePaths,
  reserve: Reserve,
  log: Log,
): Promise<PoolFeatures> {
  try {
    return await reserve.lend(() => tryFeatures(host, paths, log));
  } catch (error) {
    if (!isForSpace(error)) throw error;
    return UNKNOWN;
  }
}

async function tryFeatures(host: HostCalls, paths: ImageFilePaths, log: Log): Promise<PoolFeatures> {
  const directory = `${paths.incoming}/${uniqueName('probe')}`;
  const file = `${directory}/file`;
  await mkdir(directory, { mode: 0o700 });
  try {
    await writeFile(file, Buffer.alloc(PROBE_BYTES, 1), { mode: 0o600, flush: true });
    const hasReflink = await works(log, 'reflink', () => host.clone(file, `${directory}/clone`));
    const directIo = await works(log, 'direct I/O', () => openDirectly(file));
    const canPunch = await works(log, 'punching holes', () => punchHole(file));
    const reasons = [
      `${await fileSystemOf(paths.root)} ${hasReflink ? 'with' : 'without'} reflink`,
      ...(directIo ? [] : ['without direct I/O: no volume of cache none']),
      ...(canPunch ? [] : ['without holes: what a guest discards stays allocated']),
    ];
    return { snapshots: hasReflink ? 'instant' : 'copy', directIo, reason: reasons.join(', ') };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Two open files must not both have a lock: nothing else keeps two VMs from one disk. The pool's own is held already. */
export async function requireLocks(host: HostCalls, pool: string, lockPath: string): Promise<void> {
  const second = await host.tryLock(lockPath);
  if (second === undefined) return;
  await second.release();
  throw new Fault(
    'precondition',
    `pool ${pool}: the file system of ${lockPath} gives one lock to two; choose a local disk`,
  );
}

async function works(log: Log, what: string, body: () => Promise<void>): Promise<boolean> {
  try {
    await body();
    return true;
  } catch (error) {
    if (isForSpace(error)) throw error;
    log.debug('the pool cannot do this', { what, error });
    return false;
  }
}

async function openDirectly(path: string): Promise<void> {
  await (await open(path, constants.O_RDWR | constants.O_DIRECT)).close();
}

async function punchHole(path: string): Promise<void> {
  const args = ['--punch-hole', '--offset', '0', '--length', String(PROBE_BYTES), path];
  const { exitCode, stderr } = await run({ file: 'fallocate', args });
  if (exitCode !== 0) throw new Fault('unsupported', new TextDecoder().decode(stderr).trim());
}
