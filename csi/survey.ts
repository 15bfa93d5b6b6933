import { placeholderSource, type VolumeAttachment } from '../proto/volume-attachment.ts';
import type { Log } from '../runtime/system/log.ts';
import { type Mount, readMounts } from '../runtime/system/node/mounts.ts';
import type { Attachments } from './attachments.ts';
import { mapConcurrently } from './map-concurrently.ts';
import { findTarget } from './target-path.ts';
import type { Volumes } from './volumes.ts';

/** What was found at the start that a person may have to look into. */
interface Oddity {
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** A publication, and its target path as the mount table has it; undefined if there is no such directory. */
interface Published {
  readonly attachment: VolumeAttachment;
  readonly path: string | undefined;
}

/** Targets that are looked at together. */
const CONCURRENCY = 16;
const ANY_PLACEHOLDER = placeholderSource('');

/**
 * At the start: tells where records, mounts and pools do not fit together. Nothing is mended: a publication belongs to
 * kubelet, whose next NodePublishVolume or NodeUnpublishVolume makes whole or removes what a killed server left; and a
 * pool without its volumes may be a disk that is not mounted.
 */
export async function survey(attachments: Attachments, volumes: Volumes, log: Log): Promise<void> {
  for (const pool of volumes.pools.values()) {
    const [example, ...others] = volumes.strangersIn(pool);
    if (example === undefined) continue;
    log.warn('a pool has volumes or snapshots of another --node-id or pool name, which are not served', {
      ...{ pool: pool.name, count: others.length + 1, example },
    });
  }
  try {
    const published = await mapConcurrently(attachments.all(), CONCURRENCY, async (attachment) => ({
      attachment,
      path: (await findTarget(attachment.targetPath))?.path,
    }));
    const oddities = findOddities(published, await readMounts(), (volumeId) => isKnown(volumeId, volumes));
    for (const { message, fields } of oddities) log.warn(message, fields);
  } catch (error) {
    log.warn('what is published could not be looked at', { error });
  }
}

/** One whose record cannot be read is there all the same. */
function isKnown(volumeId: string, volumes: Volumes): boolean {
  const location = volumes.locate(volumeId);
  if (location.kind !== 'here') return false;
  return location.pool.unreadable.has(volumeId) || location.pool.find(location.volumeId) !== undefined;
}

export function findOddities(
  published: readonly Published[],
  mounts: readonly Mount[],
  isKnown: (volumeId: string) => boolean,
): Oddity[] {
  const oddities: Oddity[] = [];
  const placeholders = new Map(
    mounts.flatMap(({ source, mountPoint, fsType }) =>
      fsType === 'tmpfs' && source.startsWith(ANY_PLACEHOLDER) ? [[mountPoint, source] as const] : [],
    ),
  );
  for (const { attachment, path = '' } of published) {
    const { volumeId, podUid, targetPath, volumeMode } = attachment;
    const fields = { volumeId, podUid, targetPath };
    if (!isKnown(volumeId)) oddities.push({ message: 'a published volume is in no pool of this server', fields });
    const isWhole = volumeMode === 'Block' || placeholders.get(path) === placeholderSource(volumeId);
    if (!isWhole) oddities.push({ message: 'nothing stands at the target path of a published volume', fields });
  }
  const sources = new Set(published.map(({ attachment }) => placeholderSource(attachment.volumeId)));
  for (const [targetPath, source] of placeholders) {
    if (sources.has(source)) continue; // kubelet mounts parts of it elsewhere, for subPath
    const fields = { targetPath, volumeId: source.slice(ANY_PLACEHOLDER.length) };
    oddities.push({ message: 'a placeholder stands for a volume that is not published', fields });
  }
  return oddities;
}
