import { existsSync } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { placeholderSource, type VolumeAttachment } from '../../../proto/volume-attachment.ts';
import { type DeviceNumber, isSameDevice, toDeviceNumber } from '../../system/device-number.ts';
import { type Mount, readMounts, topmostMount } from '../../system/node/mounts.ts';
import type { System } from '../../system/port.ts';
import { listPublications } from '../list-attachments.ts';
import type { Finding } from './finding.ts';

/** A publication, and its target as the mount table spells it. */
export interface PublicationFacts {
  readonly record: VolumeAttachment;
  readonly canonicalPath: string;
  readonly hasVolume: boolean;
  /** Of the block device at the target, if there is one. */
  readonly device: DeviceNumber | undefined;
}

export async function examineVolumes(system: System, runDirectory: string): Promise<Finding[]> {
  // Before the mounts: a publication is recorded first and mounted then, and unmounted first.
  const { found, unreadable } = await listPublications(system, runDirectory);
  const facts = await Promise.all(
    found.map(async ({ record }) => ({
      record,
      canonicalPath: await toCanonical(record.targetPath),
      hasVolume: existsSync(record.volumeDirectory),
      device: await readDevice(record.targetPath),
    })),
  );
  const findings: Finding[] = [
    ...unreadable.map(
      ({ path, problem }): Finding => ({
        area: 'volumes',
        status: 'orphan',
        what: problem,
        mend: `NodeUnpublishVolume of its pod; if that is long gone, rm ${path}`,
      }),
    ),
    ...judgePublications(facts, await readMounts()),
  ];
  if (findings.length > 0) return findings;
  return [{ area: 'volumes', status: 'ok', what: `${found.length} publications, each with its placeholder` }];
}

/**
 * None of it is repaired: a record keeps its volume from being deleted, and a placeholder keeps a pod without a VM from
 * writing beside it. Who published takes both back, by NodeUnpublishVolume.
 */
export function judgePublications(publications: readonly PublicationFacts[], mounts: readonly Mount[]): Finding[] {
  const orphan = { area: 'volumes', status: 'orphan' } as const;
  const unpublish = (id: string, path: string) => `NodeUnpublishVolume of ${id} at ${path} (kubelet repeats it)`;
  const records = publications.flatMap(({ record, canonicalPath, hasVolume, device }): Finding[] => {
    const { volumeId, targetPath, podUid, volumeMode } = record;
    const mend = unpublish(volumeId, targetPath);
    const published = `volume ${volumeId} is published for pod ${podUid} at ${targetPath}`;
    const isThere =
      volumeMode === 'Block'
        ? device !== undefined && isSameDevice(record.device, device)
        : topmostMount(mounts, canonicalPath)?.source === placeholderSource(volumeId);
    return [
      ...(isThere ? [] : [{ ...orphan, what: `${published}, but its placeholder is not there`, mend }]),
      ...(hasVolume ? [] : [{ ...orphan, what: `${published}, but there is no ${record.volumeDirectory}`, mend }]),
    ];
  });
  const placeholders = mounts.flatMap(({ fsType, source, mountPoint }): Finding[] => {
    if (fsType !== 'tmpfs' || !source.startsWith(placeholderSource(''))) return [];
    const volumeId = source.slice(placeholderSource('').length);
    const isRecorded = publications.some(
      ({ record, canonicalPath }) => record.volumeId === volumeId && canonicalPath === mountPoint,
    );
    if (isRecorded) return [];
    const what = `${mountPoint} stands for volume ${volumeId}, but no record says that it is published`;
    return [{ ...orphan, what, mend: unpublish(volumeId, mountPoint) }];
  });
  return [...records, ...placeholders];
}

async function readDevice(path: string): Promise<DeviceNumber | undefined> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isBlockDevice() === true ? toDeviceNumber(found.rdev) : undefined;
}

async function toCanonical(path: string): Promise<string> {
  const parent = await realpath(dirname(path)).catch(() => dirname(path));
  return `${parent === '/' ? '' : parent}/${basename(path)}`;
}
