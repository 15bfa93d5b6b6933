import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDiskSerial, parseSnapshotId, parseVolumeId, type SnapshotId, type VolumeId } from '../../../proto/ids.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../../proto/volume-class.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import type { VolumeSnapshot } from '../../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec } from '../../../proto/volume-spec.ts';
import { silentLog } from '../../../runtime/system/log.ts';
import type { Pool, PoolOptions } from '../port.ts';

/** A pool that a test may do with as it likes, on a file system of its own. */
export interface PoolBench {
  /** Opens it, or opens it again after it was closed. */
  open(options: PoolOptions): Promise<Pool>;
  /** Where the disk of a snapshot can be read. */
  imageOfSnapshot(snapshotId: SnapshotId): string;
  /** Names of everything that is kept, above all of what no verb answers. */
  remains(): Promise<string[]>;
  /** Takes the lease as a VM does, in a process of its own: sandbox-1 of pod-1. */
  holdLease(path: string): Promise<{ release(): Promise<void> }>;
  /** Leaves so many bytes free on the pool's file system; answers what makes room again. */
  fill(freeBytes: number): Promise<{ release(): Promise<void> }>;
  close(): Promise<void>;
}

export const MIB = 1 << 20;
/** Space is not what most tests are about. */
const UNLIMITED: PoolOptions = { overcommit: Number.POSITIVE_INFINITY };

export const idOf = (name: string): VolumeId => parseVolumeId(`main.0123456789ab.${name}`);
export const snapshotIdOf = (name: string): SnapshotId => parseSnapshotId(`main.0123456789ab.s_${name}`);
export const thick = { class: { ...DEFAULT_CLASS, provisioning: 'thick' } } as const;
export const fromVolume = (name: string) => ({ source: { kind: 'volume', volumeId: idOf(name) } }) as const;
export const fromSnapshot = (name: string) =>
  ({ source: { kind: 'snapshot', snapshotId: snapshotIdOf(name) } }) as const;

export const snapshotOf = (name: string, source: string): VolumeSnapshot => ({
  ...{ snapshotId: snapshotIdOf(name), name, sourceVolumeId: idOf(source), sizeBytes: 32 * MIB, fsType: 'ext4' },
  ...{ createdAtMs: 1, consistency: 'detached', remark: '' },
});

/** An open pool and what tests do with it. */
export class OpenBench {
  readonly bench: PoolBench;
  pool: Pool;

  private constructor(bench: PoolBench, pool: Pool) {
    this.bench = bench;
    this.pool = pool;
  }

  static async on(bench: PoolBench): Promise<OpenBench> {
    return new OpenBench(bench, await bench.open(UNLIMITED));
  }

  async reopen(options: PoolOptions = UNLIMITED): Promise<void> {
    await this.pool.close();
    await this.openAgain(options);
  }

  /** After its pool was closed. */
  async openAgain(options: PoolOptions = UNLIMITED): Promise<void> {
    this.pool = await this.bench.open(options);
  }

  async create(name: string, changes: Partial<VolumeSpec> = {}): Promise<VolumeSpec> {
    const spec: VolumeSpec = {
      ...{ volumeId: idOf(name), name, capacityBytes: 32 * MIB, fsType: 'ext4', accessModes: ['SINGLE_NODE_WRITER'] },
      ...{ serial: parseDiskSerial(name), class: DEFAULT_CLASS, limits: NO_LIMITS, isEphemeral: false, createdAtMs: 1 },
      ...changes,
    };
    await this.pool.create(spec, spec.source, silentLog);
    return spec;
  }

  remove(name: string): Promise<boolean> {
    return this.pool.remove(idOf(name), silentLog);
  }

  snapshot(name: string, source: string): Promise<VolumeSnapshot> {
    return this.pool.createSnapshot(snapshotOf(name, source), { mayCopy: true }, silentLog);
  }

  removeSnapshot(name: string): Promise<boolean> {
    return this.pool.removeSnapshot(snapshotIdOf(name), silentLog);
  }

  names(): string[] {
    return this.pool.volumes().map((spec) => spec.name);
  }

  fileOf(name: string, file: keyof typeof VOLUME_FILES = 'image'): string {
    return join(this.pool.directoryOf(idOf(name)), VOLUME_FILES[file]);
  }

  imageOfSnapshot(name: string): string {
    return this.bench.imageOfSnapshot(snapshotIdOf(name));
  }

  /** As a shim writes it. */
  setFilesystem(name: string, filesystem: VolumeFilesystem): Promise<void> {
    return writeFile(this.fileOf(name, 'filesystem'), volumeFilesystemRecord.encode(filesystem));
  }

  async close(): Promise<void> {
    await this.pool.close();
    await this.bench.close();
  }
}

export async function writeAt(path: string, offset: number, text: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(text, offset);
  await file.close();
}

export async function readAt(path: string, offset: number, length: number): Promise<string> {
  const file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
  await file.close();
  return buffer.toString();
}
