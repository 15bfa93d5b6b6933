import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { Fault } from '../proto/fault.ts';
import type { VolumeAttachment } from '../proto/volume-attachment.ts';
import { VOLUME_FILES, type VolumeSpec } from '../proto/volume-spec.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { absentOr } from './target-path.ts';

/**
 * What stock Kata Containers reads of a direct-assigned volume (src/runtime/pkg/direct-volume/utils.go): the file
 * mountInfo.json in a directory named by the target path in base64url with padding. Kata writes the ids of sandboxes
 * beside it, and takes any other file for one: so the record is written in place, as Kata itself does it.
 */
const ROOT = '/run/kata-containers/shared/direct-volumes';
const FILE = 'mountInfo.json';
const MAX_NAME_BYTES = 255;

/** Rewritten only where it says something else: Kata may be reading it. */
export async function ensureKataMountInfo(spec: VolumeSpec, attachment: VolumeAttachment): Promise<void> {
  const directory = directoryOf(attachment.targetPath);
  const path = `${directory}/${FILE}`;
  const text = kataMountInfo(spec, attachment);
  if ((await readFile(path, 'utf8').catch(absentOr(`could not read ${path}`))) === text) return;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(path, text, { mode: 0o600 });
  } catch (cause) {
    throw new Fault('io', `could not write ${path}`, { fields: { path }, cause });
  }
  failpoint('kata.recorded');
}

/** With the ids of sandboxes that Kata put beside it. */
export async function ensureNoKataMountInfo(targetPath: string): Promise<void> {
  if (nameOf(targetPath).length > MAX_NAME_BYTES) return;
  const directory = directoryOf(targetPath);
  await rm(directory, { recursive: true, force: true }).catch((cause: unknown) => {
    throw new Fault('io', `could not remove ${directory}`, { fields: { path: directory }, cause });
  });
}

/** The keys in Kata's order, as Go writes them: `metadata` and `options` only if there are any. */
export function kataMountInfo(
  spec: Pick<VolumeSpec, 'fsType' | 'class'>,
  { volumeDirectory, readOnly, mountFlags, fsGroup }: VolumeAttachment,
): string {
  const options = [...mountFlags.filter((flag) => flag !== 'ro' && flag !== 'rw'), ...(readOnly ? ['ro'] : [])];
  const { fsGroupChangePolicy } = spec.class;
  return JSON.stringify({
    'volume-type': 'directvol',
    device: `${volumeDirectory}/${VOLUME_FILES.image}`,
    fstype: spec.fsType,
    ...(fsGroup === undefined ? {} : { metadata: { fsGroup: String(fsGroup), fsGroupChangePolicy } }),
    ...(options.length === 0 ? {} : { options }),
  });
}

function directoryOf(targetPath: string): string {
  const name = nameOf(targetPath);
  if (name.length > MAX_NAME_BYTES) {
    const message = `target_path ${targetPath} is too long for Kata, which makes a file name of it; 189 bytes fit`;
    throw new Fault('invalid', message, { fields: { targetPath } });
  }
  return `${ROOT}/${name}`;
}

/** base64url with padding, which Node's own encoding leaves out. */
function nameOf(targetPath: string): string {
  const unpadded = Buffer.from(targetPath).toString('base64url');
  return unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, '=');
}
