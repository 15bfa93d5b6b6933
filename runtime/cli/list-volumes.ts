import type { SandboxId } from '../../proto/ids.ts';
import type { RecordCodec } from '../../proto/record.ts';
import type { VolumeAttachment } from '../../proto/volume-attachment.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { type VolumeLease, volumeLeaseRecord, type WorkLease, workLeaseRecord } from '../../proto/volume-lease.ts';
import { SNAPSHOT_FILES, type VolumeSnapshot, volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../proto/volume-spec.ts';
import type { System } from '../system/port.ts';
import { isRunning } from '../system/process-identity.ts';
import { isCopyName } from './copy-name.ts';
import { listPublications } from './list-attachments.ts';
import { listPods, type Pod } from './list-pods.ts';
import type { PoolFlag } from './pool-flag.ts';
import { type Records, readRecords } from './read-records.ts';

/** A volume as its records tell of it. */
export interface VolumeView {
  readonly volumeId: string;
  readonly directory: string;
  readonly spec: VolumeSpec | undefined;
  readonly filesystem: VolumeFilesystem | undefined;
  /** Who took the lease last; not who has it now. */
  readonly lastOwner: VolumeLease | WorkLease | undefined;
  readonly publications: readonly VolumeAttachment[];
  /** Pods whose VM runs with the disk. */
  readonly usedBy: readonly SandboxId[];
  /** Those of it that are in the pools. */
  readonly snapshots: readonly VolumeSnapshot[];
  /** Names of the copies of its disk that were made before a rescue. */
  readonly copies: readonly string[];
}

export interface VolumePlaces {
  readonly runDirectory: string;
  readonly pools: readonly PoolFlag[];
}

type Unreadable = Records<unknown>['unreadable'][number];

/** The published volumes, and those of the pools, by id. */
export async function listVolumes(
  system: System,
  { runDirectory, pools }: VolumePlaces,
): Promise<{ readonly volumes: readonly VolumeView[]; readonly unreadable: readonly Unreadable[] }> {
  const published = await listPublications(system, runDirectory);
  const publications = published.found.map(({ record }) => record);
  const directories = new Map<string, string>();
  for (const { directory } of pools) {
    for (const id of await system.list(`${directory}/volumes`)) directories.set(id, `${directory}/volumes/${id}`);
  }
  for (const { volumeId, volumeDirectory } of publications) directories.set(volumeId, volumeDirectory);

  const pods = await listPods(system, runDirectory);
  const users = await listUsers(system, pods.pods);
  const snapshots = await listSnapshots(
    system,
    pools.map(({ directory }) => directory),
  );
  const unreadable: Unreadable[] = [...published.unreadable, ...pods.unreadable, ...snapshots.unreadable];
  const volumes: VolumeView[] = [];
  for (const [volumeId, directory] of [...directories].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const read = async <T>(codec: RecordCodec<T>, file: string): Promise<T | undefined> => {
      const records = await readRecords(system, codec, [`${directory}/${file}`]);
      unreadable.push(...records.unreadable);
      return records.found[0]?.record;
    };
    volumes.push({
      volumeId,
      directory,
      spec: await read(volumeSpecRecord, VOLUME_FILES.spec),
      filesystem: await read(volumeFilesystemRecord, VOLUME_FILES.filesystem),
      lastOwner: await readOwner(system, `${directory}/${VOLUME_FILES.lease}`),
      publications: publications.filter((one) => one.volumeId === volumeId),
      usedBy: users.get(volumeId) ?? [],
      snapshots: snapshots.found.map(({ record }) => record).filter((one) => one.sourceVolumeId === volumeId),
      copies: (await system.list(directory)).filter(isCopyName),
    });
  }
  return { volumes, unreadable };
}

async function listSnapshots(system: System, pools: readonly string[]): Promise<Records<VolumeSnapshot>> {
  const directories = pools.map((pool) => `${pool}/snapshots`);
  const paths = await Promise.all(
    directories.map(async (directory) =>
      (await system.list(directory)).map((id) => `${directory}/${id}/${SNAPSHOT_FILES.record}`),
    ),
  );
  return readRecords(system, volumeSnapshotRecord, paths.flat());
}

/** Empty until somebody takes the lease, and half-written for a moment then: no news, whatever is wrong with it. */
async function readOwner(system: System, path: string): Promise<VolumeLease | WorkLease | undefined> {
  const [vm, work] = await Promise.all(
    [volumeLeaseRecord, workLeaseRecord].map((codec) => readRecords<VolumeLease | WorkLease>(system, codec, [path])),
  );
  return (vm?.found[0] ?? work?.found[0])?.record;
}

async function listUsers(system: System, pods: readonly Pod[]): Promise<ReadonlyMap<string, SandboxId[]>> {
  const users = new Map<string, SandboxId[]>();
  for (const { id, vmm, volumes } of pods) {
    if (vmm === undefined || !(await isRunning(system, vmm))) continue;
    for (const { volumeId } of volumes) users.set(volumeId, [...(users.get(volumeId) ?? []), id]);
  }
  return users;
}
