import { mapConcurrently } from '../map-concurrently.ts';
import type { Pool } from '../pool/port.ts';
import type { VolumeConditions } from '../volume-conditions.ts';
import type { FoundVolume, Volumes } from '../volumes.ts';
import type { MetricFamily } from './exposition.ts';

/** Volumes that are looked at together: each costs a look at its image. */
const CONCURRENCY = 16;

/** What the pools and volumes of this node are like now. */
export async function collectVolumeMetrics(volumes: Volumes, conditions: VolumeConditions): Promise<MetricFamily[]> {
  const all = [...volumes.all()];
  const allocated = await mapConcurrently(all, CONCURRENCY, allocatedBytes);
  const problems = await conditions.problemsOf(all);
  const ofVolumes = (name: string, help: string, measure: (volume: FoundVolume, index: number) => number | undefined) =>
    gauge(
      `berth_csi_volume_${name}`,
      help,
      all.flatMap((volume, index) => {
        const value = measure(volume, index);
        const labels = { volume_id: volume.spec.volumeId, pool: volume.pool.name };
        return value === undefined ? [] : [{ labels, value }];
      }),
    );
  return [
    ofVolumes('capacity_bytes', 'Size of the disk.', ({ spec }) => spec.capacityBytes),
    ofVolumes('allocated_bytes', 'Space that the disk takes of its pool.', (_, index) => allocated[index]),
    ofVolumes('abnormal', '1 if the volume has a problem; ControllerGetVolume says which.', (_, index) =>
      problems[index] === '' ? 0 : 1,
    ),
    ...(await collectPoolMetrics([...volumes.pools.values()])),
  ];
}

/** Undefined for a volume that was deleted meanwhile, and for one that cannot be looked at, which is then abnormal. */
function allocatedBytes({ pool, spec }: FoundVolume): Promise<number | undefined> {
  return pool.allocatedBytes(spec.volumeId).catch(() => undefined);
}

async function collectPoolMetrics(pools: readonly Pool[]): Promise<MetricFamily[]> {
  const spaces = await Promise.all(pools.map((pool) => pool.space()));
  const ofPools = (name: string, help: string, measure: (pool: Pool, index: number) => number | undefined) =>
    gauge(
      `berth_csi_pool_${name}`,
      help,
      pools.map((pool, index) => ({
        labels: { pool: pool.name },
        value: measure(pool, index) ?? 0,
      })),
    );
  return [
    ofPools('total_bytes', 'Size of the file system under the pool.', (_, index) => spaces[index]?.totalBytes),
    ofPools('free_bytes', 'Free space of it, whatever was promised.', (_, index) => spaces[index]?.freeBytes),
    ofPools('available_bytes', 'What new volumes can be promised.', (_, index) => spaces[index]?.availableBytes),
    ofPools('volumes', 'Volumes in the pool.', (pool) => pool.volumes().length),
    ofPools('snapshots', 'Snapshots in the pool.', (pool) => pool.snapshots().length),
    ofPools('unreadable', 'Volumes and snapshots whose record cannot be read.', (pool) => pool.unreadable.size),
  ];
}

function gauge(name: string, help: string, series: MetricFamily['series']): MetricFamily {
  return { name, type: 'gauge', help, series };
}
