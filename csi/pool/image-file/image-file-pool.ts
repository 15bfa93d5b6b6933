import { Fault } from '../../../proto/fault.ts';
import type { SnapshotId, VolumeId } from '../../../proto/ids.ts';
import type { VolumeFilesystem } from '../../../proto/volume-filesystem.ts';
import { SNAPSHOT_FILES, type VolumeSnapshot } from '../../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import type { Files } from '../../../runtime/system/port.ts';
import { changedExtents } from '../../extents.ts';
import type { HostLock } from '../../host-calls.ts';
import type { Extent, LeaseState, Pool, PoolFeatures, PoolSource, PoolSpace, SnapshotOptions } from '../port.ts';
import { growVolume, updateVolume } from './change.ts';
import type { Copies } from './copies.ts';
import { extentsOrAll } from './copy-job.ts';
import { orderSnapshot, orderVolume } from './copy-order.ts';
import { createBlank, createClone } from './create.ts';
import { describeMisfit, imageFacts } from './image.ts';
import { readFilesystem } from './inherit.ts';
import { removeSnapshot, removeVolume } from './remove.ts';
import { createInstantSnapshot } from './snapshot.ts';
import { type PoolState, requireFreeId, requireSnapshot, requireVolume } from './state.ts';

/** Volumes and snapshots as raw images in a directory of a local file system. */
export class ImageFilePool implements Pool {
  readonly name: string;
  readonly features: PoolFeatures;
  readonly files: Files;
  readonly unreadable: ReadonlyMap<string, Fault>;
  private readonly state: PoolState;
  private readonly copies: Copies;
  private readonly lock: HostLock;

  constructor(state: PoolState, copies: Copies, lock: HostLock) {
    this.name = state.name;
    this.features = state.features;
    this.files = state.files;
    this.unreadable = state.unreadable;
    this.state = state;
    this.copies = copies;
    this.lock = lock;
  }

  volumes(): readonly VolumeSpec[] {
    return this.state.volumes.all();
  }

  snapshots(): readonly VolumeSnapshot[] {
    return this.state.snapshots.all();
  }

  find(volumeId: VolumeId): VolumeSpec | undefined {
    this.requireReadable(volumeId);
    return this.state.volumes.get(volumeId);
  }

  findSnapshot(snapshotId: SnapshotId): VolumeSnapshot | undefined {
    this.requireReadable(snapshotId);
    return this.state.snapshots.get(snapshotId);
  }

  directoryOf(volumeId: VolumeId): string {
    return `${this.state.paths.volumes}/${volumeId}`;
  }

  filesystemOf(volumeId: VolumeId): Promise<VolumeFilesystem> {
    return readFilesystem(this.files, `${this.directoryOf(volumeId)}/${VOLUME_FILES.filesystem}`);
  }

  space(): Promise<PoolSpace> {
    return this.state.budget.space();
  }

  async allocatedBytes(volumeId: VolumeId): Promise<number> {
    return (await imageFacts(`${this.directoryOf(volumeId)}/${VOLUME_FILES.image}`)).allocatedBytes;
  }

  async problemOf(volumeId: VolumeId): Promise<string> {
    const path = `${this.directoryOf(volumeId)}/${VOLUME_FILES.image}`;
    const { sizeBytes } = await imageFacts(path);
    const { capacityBytes } = requireVolume(this.state, volumeId);
    return this.state.growing.has(volumeId) ? '' : describeMisfit(path, sizeBytes, capacityBytes);
  }

  async create(
    spec: VolumeSpec,
    source: PoolSource | undefined,
    log: Log,
    onShared?: () => Promise<void>,
  ): Promise<void> {
    const { state } = this;
    requireFreeId(state, spec.volumeId);
    this.requireFit(spec);
    if (source !== undefined) this.requireSource(source, spec);
    if (source !== undefined && !this.canShare(spec)) return this.copies.run(orderVolume(state, spec, source));
    this.copies.requireUnmade(spec.volumeId);
    if (source === undefined) await createBlank(state, spec, log);
    else await createClone(state, spec, { source, onShared }, log);
  }

  /** Blocks that are shared are not the volume's own: to write them takes space, which a thick volume must not need. */
  canShare({ class: { provisioning } }: VolumeSpec): boolean {
    return this.features.snapshots === 'instant' && provisioning === 'thin';
  }

  grow(volumeId: VolumeId, capacityBytes: number): Promise<VolumeSpec> {
    return growVolume(this.state, volumeId, capacityBytes);
  }

  update(spec: VolumeSpec): Promise<void> {
    return updateVolume(this.state, spec);
  }

  async remove(volumeId: VolumeId, log: Log): Promise<boolean> {
    const wasCancelled = await this.copies.cancel(volumeId);
    return (await removeVolume(this.state, volumeId, log)) || wasCancelled;
  }

  ownerOf(volumeId: VolumeId): Promise<LeaseState> {
    requireVolume(this.state, volumeId);
    return this.state.leases.ownerOf(volumeId);
  }

  lease(volumeId: VolumeId): Promise<HostLock | undefined> {
    requireVolume(this.state, volumeId);
    return this.state.leases.take(volumeId, 'the driver is at work on it');
  }

  async createSnapshot(snapshot: VolumeSnapshot, options: SnapshotOptions, log: Log): Promise<VolumeSnapshot> {
    const { snapshotId, sourceVolumeId } = snapshot;
    requireFreeId(this.state, snapshotId);
    requireVolume(this.state, sourceVolumeId);
    if (this.features.snapshots === 'instant') return createInstantSnapshot(this.state, snapshot, options, log);
    if (!options.mayCopy) {
      const message =
        `pool ${this.name} (${this.features.reason}) can only copy a volume byte by byte, and only one that no pod has; ` +
        `allow it with the parameter allowCopy: "true" of the VolumeSnapshotClass`;
      throw new Fault('unsupported', message, { fields: { pool: this.name, snapshotId } });
    }
    const bytes = await this.allocatedBytes(sourceVolumeId);
    await this.copies.run(orderSnapshot(this.state, snapshot, bytes));
    return requireSnapshot(this.state, snapshotId);
  }

  async removeSnapshot(snapshotId: SnapshotId, log: Log): Promise<boolean> {
    this.copies.requireUnread(snapshotId);
    const wasCancelled = await this.copies.cancel(snapshotId);
    return (await removeSnapshot(this.state, snapshotId, log)) || wasCancelled;
  }

  async extents(snapshotId: SnapshotId, base?: SnapshotId): Promise<readonly Extent[]> {
    const { host } = this.state;
    const { sizeBytes } = requireSnapshot(this.state, snapshotId);
    if (base === undefined) return extentsOrAll(host, this.imageOf(snapshotId), sizeBytes);
    requireSnapshot(this.state, base);
    const [before, now] = await Promise.all([host.extents(this.imageOf(base)), host.extents(this.imageOf(snapshotId))]);
    return changedExtents(before, now, sizeBytes);
  }

  async requireSound(): Promise<void> {
    const { name, paths, volumesSync, snapshotsSync } = this.state;
    try {
      await Promise.all([volumesSync.check(), snapshotsSync.check()]);
    } catch (cause) {
      const message = `pool ${name} in ${paths.root} has failed; look at its disk, and start the driver again`;
      throw new Fault('precondition', message, { fields: { pool: name }, cause });
    }
  }

  async close(): Promise<void> {
    await this.copies.close();
    await Promise.all([this.state.volumesSync.close(), this.state.snapshotsSync.close()]);
    await this.lock.release();
  }

  private imageOf(snapshotId: SnapshotId): string {
    return `${this.state.paths.snapshots}/${snapshotId}/${SNAPSHOT_FILES.image}`;
  }

  private requireReadable(id: string): void {
    const fault = this.unreadable.get(id);
    if (fault !== undefined) throw fault;
  }

  private requireFit({ volumeId, class: { cache } }: VolumeSpec): void {
    if (cache !== 'none' || this.features.directIo) return;
    const message = `volume ${volumeId} is to have cache none, but pool ${this.name} is on ${this.features.reason}`;
    throw new Fault('invalid', message, { fields: { volumeId, pool: this.name } });
  }

  private requireSource(source: PoolSource, { volumeId, capacityBytes }: VolumeSpec): void {
    const sizeBytes =
      source.kind === 'snapshot'
        ? requireSnapshot(this.state, source.snapshotId).sizeBytes
        : requireVolume(this.state, source.volumeId).capacityBytes;
    if (capacityBytes >= sizeBytes) return;
    const message = `volume ${volumeId} of ${capacityBytes} bytes is smaller than its source, which has ${sizeBytes}`;
    throw new Fault('out-of-range', message, { fields: { volumeId, capacityBytes, sizeBytes } });
  }
}
