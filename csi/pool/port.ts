import type { VolumeId } from '../../proto/ids.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import type { Log } from '../../runtime/system/log.ts';

/**
 * Where volumes live: one implementation per backend, in a folder of its own. A pool holds the directory that the
 * contracts speak of (spec.json, fs.json, lease, image) for each volume. The caller sees to it that no two verbs work
 * on one volume at a time.
 */
export interface Pool {
  readonly name: string;
  /** Undefined if there is no such volume. */
  find(volumeId: VolumeId): Promise<VolumeSpec | undefined>;
  /** The volume's directory, as records name it. */
  directoryOf(volumeId: VolumeId): string;
  /** Makes the volume, blank. It is there as a whole, durably, or not at all. `exhausted` when it does not fit. */
  create(spec: VolumeSpec): Promise<void>;
  /** The one place where data cease. False if there was no such volume; `precondition` while its lease is held. */
  remove(volumeId: VolumeId, log: Log): Promise<boolean>;
  close(): Promise<void>;
}
