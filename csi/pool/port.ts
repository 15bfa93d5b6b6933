import type { Fault } from '../../proto/fault.ts';
import type { SnapshotId, VolumeId } from '../../proto/ids.ts';
import type { VolumeFilesystem } from '../../proto/volume-filesystem.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import type { Log } from '../../runtime/system/log.ts';
import type { Files } from '../../runtime/system/port.ts';

/**
 * Where volumes and snapshots live: one implementation per backend, in a folder of its own, all held to contract.ts. A
 * pool keeps for each volume the directory that the contracts speak of (spec.json, fs.json, lease, image.raw). It is the
 * only writer of spec.json and snapshot.json, and knows them all in memory: look-ups do not touch the disk.
 *
 * The caller sees to it that no two verbs work on one volume or snapshot at a time. Whatever is answered is durable.
 */
export interface Pool {
  readonly name: string;
  readonly features: PoolFeatures;

  /** By id, in the order of ids. Never changed in place: a listing may be walked while verbs run. */
  volumes(): readonly VolumeSpec[];
  snapshots(): readonly VolumeSnapshot[];
  /** Throws why for one whose record cannot be read: it is there all the same, and its id is taken. */
  find(volumeId: VolumeId): VolumeSpec | undefined;
  findSnapshot(snapshotId: SnapshotId): VolumeSnapshot | undefined;
  /** Ids of volumes and snapshots that are there but whose record could not be read at the start, and why. */
  readonly unreadable: ReadonlyMap<string, Fault>;

  /** The volume's directory, as records name it. */
  directoryOf(volumeId: VolumeId): string;
  /** For records beside the pool's own: what is written durably may draw on the space that is reserved for records. */
  readonly files: Files;
  /** What the guest made of the disk (fs.json). */
  filesystemOf(volumeId: VolumeId): Promise<VolumeFilesystem>;
  space(): Promise<PoolSpace>;
  /** Bytes that the volume takes of the pool now, of its capacity. */
  allocatedBytes(volumeId: VolumeId): Promise<number>;
  /** What is wrong with the volume's disk as the pool has it, in a sentence; empty if nothing is seen to be. */
  problemOf(volumeId: VolumeId): Promise<string>;

  /**
   * Makes the volume, blank, or with the content of a volume or snapshot of this pool, whose state of the file system it
   * inherits. It is there as a whole, durably, or not at all. `exhausted` when it does not fit. A copy that takes long is
   * `busy`, with its progress in the message, until a repeated call finds it done; so may be a large thick volume.
   * `onShared` is called when an instant copy has the content, before all else that is to be done for it; its failure is
   * that of the call.
   */
  create(spec: VolumeSpec, source: PoolSource | undefined, log: Log, onShared?: () => Promise<void>): Promise<void>;
  /** Whether such a volume is an instant copy of its source, also of a volume in use. Else its blocks are copied. */
  canShare(spec: VolumeSpec): boolean;
  /** The disk has at least `capacityBytes` when this answers; it never shrinks. `exhausted` when it does not fit. */
  grow(volumeId: VolumeId, capacityBytes: number): Promise<VolumeSpec>;
  /** Replaces what may change of a volume: its limits. */
  update(spec: VolumeSpec): Promise<void>;
  /** The one place where data cease. False if there was no such volume; `precondition` while its lease is held. */
  remove(volumeId: VolumeId, log: Log): Promise<boolean>;

  /**
   * Whether a VM, or another process, has the volume: the words of its lease. The lock is the truth, and this a look at it.
   */
  ownerOf(volumeId: VolumeId): Promise<LeaseState>;
  /** Takes the lease of a volume that no VM has, so that none gets it meanwhile; undefined if one has. */
  lease(volumeId: VolumeId): Promise<{ release(): Promise<void> } | undefined>;

  /**
   * The content of the volume as it is at one instant of this call. The caller froze the guest, or holds the lease, or
   * takes what there is, and says so in the record. `unsupported` where only a copy is possible and `mayCopy` is not set;
   * a copy that takes long is `busy` as in create(), and needs the lease throughout, which it then holds itself. Answers
   * the record as it was written: of a copy, that of the first call.
   */
  createSnapshot(snapshot: VolumeSnapshot, options: SnapshotOptions, log: Log): Promise<VolumeSnapshot>;
  /** False if there was none; `precondition` while a copy reads it. */
  removeSnapshot(snapshotId: SnapshotId, log: Log): Promise<boolean>;

  /**
   * Parts of a snapshot's disk that hold data, in order; with `base`, only those that may differ from that snapshot of
   * the same volume, among them what has become zero. May name more than there is, never less.
   */
  extents(snapshotId: SnapshotId, base?: SnapshotId): Promise<readonly Extent[]>;

  /** Fault `precondition` when nothing can be promised any more before the next start: the disk has failed, or has gone. */
  requireSound(): Promise<void>;
  close(): Promise<void>;
}

export type PoolSource =
  | { readonly kind: 'snapshot'; readonly snapshotId: SnapshotId }
  | { readonly kind: 'volume'; readonly volumeId: VolumeId };

export interface SnapshotOptions {
  /** Whether a copy byte by byte will do, where the pool cannot do better. */
  readonly mayCopy: boolean;
  /**
   * Asked when an instant snapshot has the content, before the record is written: thaws the guest, and says what became
   * of the freeze. A throw takes the snapshot back. Not asked of a copy, of which nobody was frozen.
   */
  readonly settle?: () => Promise<Pick<VolumeSnapshot, 'consistency' | 'remark'>>;
}

/** What an operator says of a pool. */
export interface PoolOptions {
  /**
   * How often the file system's size may be promised to volumes and snapshots; Infinity: no limit. The default is 1: a
   * guest that is stopped at a write because a disk is full that nobody counted on is the worse surprise.
   */
  readonly overcommit?: number;
}

export interface PoolFeatures {
  /** `instant`: of a volume in use too, whatever its size; `copy`: byte by byte, of a volume that no VM has. */
  readonly snapshots: 'instant' | 'copy';
  /** Whether volumes of cache `none` can be had (O_DIRECT). */
  readonly directIo: boolean;
  /** Why, for `berth doctor` and messages: `xfs with reflink`. */
  readonly reason: string;
}

export interface PoolSpace {
  readonly totalBytes: number;
  /** That new volumes can be promised, by the pool's over-commit limit; less what is reserved for records. */
  readonly availableBytes: number;
  /** Largest volume that can be made now. */
  readonly maximumVolumeBytes: number;
  /** Free on the device, whatever was promised. */
  readonly freeBytes: number;
}

export type LeaseState =
  | { readonly kind: 'free' }
  | { readonly kind: 'vm'; readonly podUid: string; readonly sandboxId: string }
  | { readonly kind: 'other'; readonly words: string };

export interface Extent {
  readonly offset: number;
  readonly length: number;
}
