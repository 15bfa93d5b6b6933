import { once } from 'node:events';
import { mkdir, open, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { HostCalls } from '../../csi/host-calls.ts';
import type { PoolBench } from '../../csi/pool/contract/bench.ts';
import { type ImageFilePoolOptions, openImageFilePool } from '../../csi/pool/image-file/pool.ts';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import { volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { SNAPSHOT_FILES } from '../../proto/volume-snapshot.ts';
import { silentLog } from '../../runtime/system/log.ts';
import { createWorld, type World } from './world.ts';

/** A file system on a loop device, mounted in a world of its own. */
export interface LoopFileSystem {
  readonly kind: 'ext4' | 'xfs' | 'btrfs';
  readonly world: World;
  /** Where this process finds its root. */
  readonly root: string;
  /**
   * What the file system has given to its device by now, and nothing else, is mounted afterwards: as when the host
   * loses power, but for what a disk's own cache would lose. `release` closes whatever is open on it.
   */
  cutPower(release: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const MKFS = {
  ext4: ['mkfs.ext4', '-q', '-m', '0'], // root may use what is reserved, and full is full
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q'],
} as const;

export async function mountLoop(kind: LoopFileSystem['kind'], sizeBytes: number): Promise<LoopFileSystem> {
  const world = await createWorld();
  const device = join(world.scratch, 'device');
  const mountPoint = join(world.scratch, 'mount');
  const file = await open(device, 'w');
  await file.truncate(sizeBytes);
  await file.close();
  const [mkfs, ...args] = MKFS[kind];
  await execa(mkfs, [...args, device]);
  await mkdir(mountPoint);
  const [nsenter = '', ...prefix] = world.prefix;
  const mount = () => execa(nsenter, [...prefix, 'mount', '-o', 'loop', device, mountPoint]);
  const unmount = () => execa(nsenter, [...prefix, 'umount', mountPoint]);
  await mount();
  return {
    kind,
    world,
    root: `${world.root}${mountPoint}`,
    async cutPower(release) {
      await execa('cp', ['--sparse=always', device, `${device}.cut`]);
      await release();
      await unmount();
      await rename(`${device}.cut`, device);
      await mount();
    },
    async close() {
      await unmount();
      await world.close();
    },
  };
}

/** Pools on a file system, one after another. */
export async function openPoolBench(
  host: HostCalls,
  { root, world }: LoopFileSystem,
  always: Partial<ImageFilePoolOptions> = {},
): Promise<PoolBench> {
  const directory = join(root, 'pool');
  const stateDirectory = join(world.scratch, 'state');
  await mkdir(directory);
  return {
    open: (options) =>
      openImageFilePool(
        { host, name: 'main', directory, stateDirectory, allowUnfit: false, owner: 'a test', ...options, ...always },
        silentLog,
      ),
    imageOfSnapshot: (snapshotId) => join(directory, 'snapshots', snapshotId, SNAPSHOT_FILES.image),
    async remains() {
      const found = await readdir(directory, { recursive: true });
      return found.filter((path) => path !== 'reserve').sort();
    },
    holdLease,
    fill: (freeBytes) => fill(root, freeBytes),
    async close() {
      await rm(directory, { recursive: true });
      await rm(stateDirectory, { recursive: true });
    },
  };
}

async function holdLease(path: string): Promise<{ release(): Promise<void> }> {
  const owner = { podUid: parsePodUid('pod-1'), sandboxId: parseSandboxId('sandbox-1'), node: 'n', takenAtMs: 1 };
  await writeFile(path, volumeLeaseRecord.encode(owner));
  const holder = execa('flock', [path, 'sh', '-c', 'echo held; exec cat'], { reject: false, stdin: 'pipe' });
  await once(holder.stdout, 'data');
  return {
    async release() {
      holder.stdin.end();
      await holder;
    },
  };
}

/** In pieces that become smaller: a file system says what is free, not what can be had at once. */
async function fill(root: string, freeBytes: number): Promise<{ release(): Promise<void> }> {
  const directory = join(root, 'filler');
  await mkdir(directory);
  let sizeBytes = (await statfs(root)).bavail * (await statfs(root)).bsize - freeBytes;
  for (let piece = 0; sizeBytes >= 4096; piece += 1) {
    const path = join(directory, String(piece));
    const { exitCode } = await execa('fallocate', ['--length', String(sizeBytes), path], { reject: false });
    if (exitCode !== 0) await rm(path, { force: true });
    const { bavail, bsize } = await statfs(root);
    const left = bavail * bsize - freeBytes;
    sizeBytes = Math.floor((exitCode === 0 ? left : Math.min(left, sizeBytes / 2)) / 4096) * 4096;
    if (piece > 64) break;
  }
  return { release: () => rm(directory, { recursive: true }) };
}
