import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../proto/fault.ts';
import type { VolumeSpec } from '../proto/volume-spec.ts';
import { exec, run } from '../runtime/system/node/exec.ts';

/** Exit status of blkid. */
const NOTHING_FOUND = 2;

/**
 * Makes the file system of a volume for stock Kata (class parameter `consumer: kata`), whose guest formats nothing, with
 * the host's mkfs, and answers its UUID. `image` is a new file that is zero throughout, or a copy in the making: never one
 * that a guest has had. Fault `precondition` if it has a signature. Durable when this answers.
 */
export async function formatForKata(
  image: string,
  { volumeId, fsType, class: { mkfsOptions } }: Pick<VolumeSpec, 'volumeId' | 'fsType' | 'class'>,
): Promise<string> {
  await refuseContent(image, volumeId);
  const uuid = randomUUID();
  const [program = '', ...args] = mkfsCommand(fsType, uuid);
  // There, a name among the options means nothing of the host's: `-d etc` would copy /etc into the volume.
  await exec(program, [...args, ...mkfsOptions, image], { cwd: dirname(image) });
  await sync(image, volumeId);
  return uuid;
}

/** mkfs.ext4 asks nobody when its input is not a terminal. */
async function refuseContent(image: string, volumeId: string): Promise<void> {
  const { exitCode, stdout } = await run({ file: 'blkid', args: ['--probe', '--output', 'export', image] });
  if (exitCode === NOTHING_FOUND) return;
  const found = new TextDecoder().decode(stdout).trim().replaceAll('\n', ' ');
  const message = `volume ${volumeId} is not blank, and is not formatted: ${found || `blkid ended with status ${exitCode}`}`;
  throw new Fault('precondition', message, { fields: { volumeId, image } });
}

/** Without what Linux 5.15 cannot mount, as the kernel of the guest is not known here. */
function mkfsCommand(fsType: VolumeSpec['fsType'], uuid: string): readonly string[] {
  switch (fsType) {
    case 'ext4':
      return ['mkfs.ext4', '-q', '-m', '0', '-O', '^orphan_file,^metadata_csum_seed', '-E', 'nodiscard', '-U', uuid];
    case 'xfs':
      return ['mkfs.xfs', '-q', '-K', '-i', 'nrext64=0', '-m', `uuid=${uuid}`];
    case 'btrfs':
      return ['mkfs.btrfs', '-q', '--nodiscard', '--features', 'extref,skinny-metadata,no-holes', '-U', uuid];
  }
}

async function sync(image: string, volumeId: string): Promise<void> {
  try {
    const file = await open(image, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new Fault('io', `could not write out the file system of volume ${volumeId}`, { fields: { volumeId }, cause });
  }
}
