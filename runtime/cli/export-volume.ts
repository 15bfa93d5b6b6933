import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { run } from '../system/node/exec.ts';
import { requireNoForeignUse } from './foreign-use.ts';
import type { VolumeView } from './list-volumes.ts';

const HELD = 75;

/**
 * Copies the disk to a new file, which is there as a whole or not at all. The lease is shared with VMs that only read; no
 * VM can write while it is held, and none is disturbed.
 */
export async function exportVolume(volume: VolumeView, file: string): Promise<number> {
  requireNoForeignUse(volume);
  const { volumeId, directory, usedBy } = volume;
  if (existsSync(file)) throw new Fault('exists', `${file} is there already; name a new file`, { fields: { file } });
  const [lease, image] = [`${directory}/${VOLUME_FILES.lease}`, `${directory}/${VOLUME_FILES.image}`];
  const partial = `${file}.berth-partial`;
  try {
    const copy = ['cp', '--sparse=always', '--reflink=auto', '--', image, partial];
    const args = ['--shared', '--nonblock', '--conflict-exit-code', String(HELD), '--', lease, ...copy];
    const { exitCode, stderr } = await run({ file: 'flock', args });
    if (exitCode === HELD) {
      const owner = usedBy.length === 0 ? 'a program' : `pod ${usedBy.join(', ')}`;
      const way = 'end it first, or export a volume that is made of a snapshot';
      throw new Fault('precondition', `volume ${volumeId} is written by ${owner}; ${way}`);
    }
    if (exitCode !== 0) {
      throw new Fault('io', `volume ${volumeId} could not be copied to ${file}`, {
        fields: { stderr: new TextDecoder().decode(stderr) },
      });
    }
    await sync(partial);
    await rename(partial, file);
    await sync(dirname(file));
    return 0;
  } finally {
    await rm(partial, { force: true });
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path);
  await handle.sync().finally(() => handle.close());
}
