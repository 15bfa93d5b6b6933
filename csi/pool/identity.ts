import { randomBytes } from 'node:crypto';
import { Fault } from '../../proto/fault.ts';
import { defineRecord, filled } from '../../proto/record.ts';
import type { Files } from '../../runtime/system/port.ts';
import { recordFile } from '../../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../../runtime/system/temporary-files.ts';

/** `pool.json` in a pool, and `pools/<name>.json` in the state directory: which pool goes by the name. Durable. */
const poolIdentityRecord = defineRecord('pool identity', 1, { id: filled });

export interface PoolPlace {
  readonly name: string;
  readonly directory: string;
  readonly stateDirectory: string;
}

/**
 * Refuses a directory that is not the pool which this driver knew by the name: an empty mount point, above all. Served,
 * it would take volumes that vanish under the disk when it is mounted, and answer that those on the disk are deleted.
 */
export async function ensurePoolIdentity(files: Files, { name, directory, stateDirectory }: PoolPlace): Promise<void> {
  const inPool = recordFile(files, poolIdentityRecord, `${directory}/pool.json`, { durable: true });
  const known = recordFile(files, poolIdentityRecord, `${stateDirectory}/pools/${name}.json`, { durable: true });
  // Both directories are locked by this process: what is there was left by one that was killed.
  await ensureNoTemporaryFiles(files, directory, 'pool.json');
  await ensureNoTemporaryFiles(files, `${stateDirectory}/pools`, `${name}.json`);
  const wanted = await known.load();
  const found = await inPool.load();
  if (wanted === undefined) {
    // The pool first: if we are killed in between, the next start finds a pool that it does not know yet, and learns it.
    const identity = found ?? { id: randomBytes(16).toString('hex') };
    if (found === undefined) await inPool.save(identity);
    await files.makeDirectory(`${stateDirectory}/pools`, 0o700);
    await known.save(identity);
  } else if (found?.id !== wanted.id) {
    const holds = found === undefined ? 'no pool' : 'another pool';
    const message =
      `pool ${name}: ${directory} holds ${holds}, not the one that this driver knows by the name; is its disk mounted? ` +
      `If a new pool is meant, remove ${known.path}`;
    throw new Fault('precondition', message, { fields: { pool: name, directory } });
  }
}
