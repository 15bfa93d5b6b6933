import { expect, it } from 'vitest';
import { createMemoryPool, NODE_KEY } from '../snapshots/memory-pool.fixture.ts';
import { VolumeConditions } from '../volume-conditions.ts';
import { Volumes } from '../volumes.ts';
import { collectVolumeMetrics } from './volume-metrics.ts';

it('tells of the others when a volume cannot be looked at', async () => {
  const pool = createMemoryPool('main', []);
  const [whole, broken] = [pool.add('a').volumeId, pool.add('b').volumeId];
  const look =
    <T>(value: T) =>
    (volumeId: string) =>
      volumeId === broken ? Promise.reject(new Error('its image is not there')) : Promise.resolve(value);
  pool.allocatedBytes = look(7);
  pool.problemOf = look('');
  pool.filesystemOf = look({ state: 'never' } as const);
  pool.space = async () => ({ totalBytes: 4, availableBytes: 3, maximumVolumeBytes: 2, freeBytes: 1 });
  const families = await collectVolumeMetrics(new Volumes(NODE_KEY, [pool]), new VolumeConditions());
  const valuesOf = (name: string) =>
    families
      .find((family) => family.name === name)
      ?.series.map(({ labels, value }) => [labels['volume_id'] ?? labels['pool'], value]);
  expect(valuesOf('berth_csi_volume_allocated_bytes')).toEqual([[whole, 7]]);
  expect(valuesOf('berth_csi_volume_abnormal')).toEqual([
    [whole, 0],
    [broken, 1],
  ]);
  expect(valuesOf('berth_csi_pool_free_bytes')).toEqual([['main', 1]]);
});
