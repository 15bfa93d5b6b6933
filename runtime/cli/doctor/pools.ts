import { constants } from 'node:fs';
import { access, mkdtemp, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../../../proto/fault.ts';
import { exec, run } from '../../system/node/exec.ts';
import { describeUnfit } from '../../system/node/unfit-file-system.ts';
import { formatSize } from '../format-volumes.ts';
import type { PoolFlag } from '../pool-flag.ts';
import type { Finding } from './finding.ts';

/** Below this a VM that writes will soon be stopped. */
const LITTLE_SPACE = 0.1;
/** What CreateVolume and DeleteVolume have in hand for a moment. */
const HALF_DONE_AFTER_MS = 600_000;

export async function examinePool({ name, directory }: PoolFlag): Promise<Finding[]> {
  const missing = (what: string, mend: string): Finding => ({
    area: 'pool',
    status: 'missing',
    what: `${name}: ${what}`,
    mend,
  });
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const { type, bavail, blocks, bsize } = await statfs(directory);
    const unfit = describeUnfit(type);
    const isLow = bavail < blocks * LITTLE_SPACE;
    return [
      unfit === undefined
        ? { area: 'pool', status: 'ok', what: `${name}: ${directory} is on a file system that keeps what was synced` }
        : missing(`${directory} is on ${unfit}`, 'give berth-csi a directory of a local disk'),
      {
        area: 'pool',
        status: isLow ? 'note' : 'ok',
        what: `${name}: ${formatSize(bavail * bsize)} of ${formatSize(blocks * bsize)} are free`,
        ...(isLow ? { mend: 'make room: at the end of it, VMs stop at their next write' } : {}),
      },
      ...(await tryAbilities(name, directory)),
      ...(await examineHalfDone(name, directory)),
    ];
  } catch (error) {
    return [missing(`${directory} cannot be used: ${describeError(error)}`, `mkdir -p ${directory}`)];
  }
}

/** In a directory of its own, which is removed again; nothing that is there is touched. */
async function tryAbilities(name: string, directory: string): Promise<Finding[]> {
  const scratch = await mkdtemp(join(directory, '.berth-doctor-'));
  try {
    const [from, to] = [join(scratch, 'from'), join(scratch, 'to')];
    await writeFile(from, Buffer.alloc(1 << 16));
    const works = async (file: string, ...args: string[]) => (await run({ file, args })).exitCode === 0;
    const reflink = await works('cp', '--reflink=always', from, to);
    const direct = await works('dd', `if=${from}`, `of=${to}`, 'bs=4096', 'oflag=direct', 'status=none');
    // The inner one must find it taken.
    const flock = await works('flock', '-n', from, 'sh', '-c', '! flock -n "$1" true', 'sh', from);
    return [
      {
        area: 'pool',
        status: flock ? 'ok' : 'missing',
        what: `${name}: ${flock ? 'locks keep others out' : 'locks (flock) keep nobody out: two VMs could have one volume'}`,
        ...(flock ? {} : { mend: 'give berth-csi a directory of a local disk' }),
      },
      { area: 'pool', status: direct ? 'ok' : 'note', what: `${name}: ${direct ? '' : 'no '}direct I/O` },
      {
        area: 'pool',
        status: reflink ? 'ok' : 'note',
        what: `${name}: ${reflink ? 'files can share blocks (reflink)' : 'files cannot share blocks (no reflink): copies are whole'}`,
      },
    ];
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Never repaired here: berth-csi sweeps both when it starts, and knows what it does at this moment. */
async function examineHalfDone(name: string, directory: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const place of ['incoming', 'trash'] as const) {
    for (const entry of await readdir(join(directory, place)).catch(() => [])) {
      const path = join(directory, place, entry);
      const ageMs = Date.now() - (await stat(path).then(({ ctimeMs }) => ctimeMs, Date.now));
      if (ageMs < HALF_DONE_AFTER_MS && (await isServed(directory))) continue;
      const verb = place === 'incoming' ? 'CreateVolume' : 'DeleteVolume';
      const what = `${name}: ${path} was left by an interrupted ${verb}, and takes space`;
      findings.push({ area: 'pool', status: 'orphan', what, mend: 'restart berth-csi, which sweeps it' });
    }
  }
  return findings;
}

/** Whether a berth-csi runs on the pool: it holds the lock for its life. */
const isServed = async (directory: string): Promise<boolean> =>
  exec('flock', ['--nonblock', join(directory, 'lock'), 'true']).then(
    () => false,
    () => true,
  );
