import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { median } from '../core/statistics.ts';
import type { Driver } from './driver.ts';

const MIB = 1 << 20;
/** `nothing` is GetPluginCapabilities, for which no driver does anything: client's and transport's share of each figure. */
export const VERBS = ['nothing', 'create', 'publish', 'stats', 'list', 'unpublish', 'delete'] as const;
export type VerbTimes = Record<(typeof VERBS)[number], number>;

const CAPABILITY = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const FILL_CONCURRENCY = 16;

export interface Load {
  /** Of the volumes' names. */
  readonly prefix: string;
  readonly count: number;
  readonly concurrency: number;
}

/** How long each verb takes, in ms, over the life of `count` volumes; see inParallel. */
export async function measureVerbs(driver: Driver, { prefix, count, concurrency }: Load): Promise<VerbTimes> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const ids = new Map<string, string>();
  const paths = (name: string) => {
    const pod = join(driver.kubelet, 'pods', name, 'volumes/kubernetes.io~csi/pv');
    return { target: join(pod, 'mount'), staging: join(driver.kubelet, 'staging', name) };
  };
  const timed = (body: (name: string) => Promise<unknown>) => inParallel(names, concurrency, body);

  const nothing = await timed(() => driver.call('Identity', 'GetPluginCapabilities', {}));
  const create = await timed(async (name) => {
    ids.set(name, await createVolume(driver, name));
  });
  for (const name of names) {
    const { target, staging } = paths(name);
    await mkdir(dirname(target), { recursive: true });
    await mkdir(staging, { recursive: true });
    const request = { volume_id: ids.get(name), staging_target_path: staging, volume_capability: CAPABILITY };
    await driver.call('Node', 'NodeStageVolume', request);
  }
  const publish = await timed((name) => {
    const { target, staging } = paths(name);
    return driver.call('Node', 'NodePublishVolume', {
      ...{ volume_id: ids.get(name), staging_target_path: staging, target_path: target },
      ...{ volume_capability: CAPABILITY, volume_context: { 'csi.storage.k8s.io/pod.uid': name } },
    });
  });
  const stats = await timed((name) =>
    driver.call('Node', 'NodeGetVolumeStats', { volume_id: ids.get(name), volume_path: paths(name).target }),
  );
  const list = await timed(() => driver.call('Controller', 'ListVolumes', { max_entries: 100 }));
  const unpublish = await timed((name) =>
    driver.call('Node', 'NodeUnpublishVolume', { volume_id: ids.get(name), target_path: paths(name).target }),
  );
  for (const name of names) {
    const request = { volume_id: ids.get(name), staging_target_path: paths(name).staging };
    await driver.call('Node', 'NodeUnstageVolume', request);
  }
  const remove = await timed((name) => driver.call('Controller', 'DeleteVolume', { volume_id: ids.get(name) }));
  return { nothing, create, publish, stats, list, unpublish, delete: remove };
}

/** Volumes that are only there. */
export async function fill(driver: Driver, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `there-${index}`);
  await inParallel(names, FILL_CONCURRENCY, (name) => createVolume(driver, name));
}

async function createVolume(driver: Driver, name: string): Promise<string> {
  const reply = await driver.call('Controller', 'CreateVolume', {
    ...{ name, capacity_range: { required_bytes: 16 * MIB }, volume_capabilities: [CAPABILITY] },
  });
  return (reply as { volume: { volume_id: string } }).volume.volume_id;
}

/** One at a time, the median of what each took; several, the time for all by their number: the inverse of throughput. */
async function inParallel(
  names: readonly string[],
  concurrency: number,
  body: (name: string) => Promise<unknown>,
): Promise<number> {
  const waiting = [...names];
  const taken: number[] = [];
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const startMs = performance.now();
      await body(name);
      taken.push(performance.now() - startMs);
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  return concurrency === 1 ? median(taken) : (performance.now() - startMs) / names.length;
}
