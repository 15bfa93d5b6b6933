import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Fault } from '../proto/fault.ts';
import type { VolumeSpec } from '../proto/volume-spec.ts';
import { exec } from '../runtime/system/node/exec.ts';

/**
 * Makes the file system of a volume for stock Kata (class parameter `consumer: kata`), whose guest formats nothing, with
 * the host's mkfs, and answers its UUID. `image` is a new file that is zero throughout, or a copy in the making: never one
 * that a guest has had, and mkfs refuses one with a signature. Durable when this answers.
 */
export async function formatForKata(
  image: string,
  { volumeId, fsType, class: { mkfsOptions } }: Pick<VolumeSpec, 'volumeId' | 'fsType' | 'class'>,
): Promise<string> {
  const uuid = randomUUID();
  const [program = '', ...args] = mkfsCommand(fsType, uuid);
  await exec(program, [...args, ...mkfsOptions, image]);
  await sync(image, volumeId);
  return uuid;
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
