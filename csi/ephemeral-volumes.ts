import { Fault } from '../proto/fault.ts';
import type { VolumeId } from '../proto/ids.ts';
import { count, defineRecord } from '../proto/record.ts';
import type { Log } from '../runtime/system/log.ts';
import { recordFile } from '../runtime/system/record-file.ts';
import type { Undo } from '../runtime/system/undo.ts';
import type { Attachments } from './attachments.ts';
import { ephemeralName, type InlineVolume } from './ephemeral-parameters.ts';
import type { FoundVolume, Volumes } from './volumes.ts';

/** How often volumes are tried again whose VM had them when their pod was taken away: a VM ends within seconds. */
const RETRY_MS = 15_000;

/**
 * `left.json` in an inline volume's directory: its pod has gone, while a VM still had it. Durable, as its VM ends with the
 * node.
 */
const leftRecord = defineRecord('inline volume without a pod', 1, { atMs: count });

const leftFile = ({ pool, spec }: FoundVolume) =>
  recordFile(pool.files, leftRecord, `${pool.directoryOf(spec.volumeId)}/left.json`, { durable: true });

/** What cannot be read proves nothing. */
const isLeft = async (found: FoundVolume): Promise<boolean> =>
  (await leftFile(found)
    .load()
    .catch(() => undefined)) !== undefined;

/**
 * Inline volumes of pods. They come with NodePublishVolume and go with NodeUnpublishVolume, or, if a VM has one then, as
 * soon as its lease is free.
 */
export class EphemeralVolumes {
  private readonly volumes: Volumes;
  private readonly log: Log;
  private readonly onRemoved: (volumeId: VolumeId) => void;
  /** Whose pod has gone. */
  private readonly left = new Map<VolumeId, FoundVolume>();
  private readonly going = new Set<VolumeId>();
  private timer: NodeJS.Timeout | undefined;

  /** `onRemoved`: nothing needs to be known of the volume any more. */
  constructor(volumes: Volumes, log: Log, onRemoved: (volumeId: VolumeId) => void) {
    this.volumes = volumes;
    this.log = log;
    this.onRemoved = onRemoved;
  }

  /**
   * At the start: those that no pod has, as far as their lease is free. After a boot of the node no publication is on
   * record, but its pods are there all the same, and kubelet publishes their volumes again: then only those go of which
   * it is known that their pod has gone.
   */
  async sweep(attachments: Attachments, { isFirstOfBoot }: { isFirstOfBoot: boolean }): Promise<void> {
    try {
      await attachments.requireReadable();
    } catch (error) {
      this.log.warn('inline volumes are kept, as any of them may be published', { error });
      return;
    }
    const published = new Set(attachments.all().map(({ volumeId }) => volumeId));
    for (const found of this.volumes.all()) {
      const { isEphemeral, volumeId } = found.spec;
      if (!isEphemeral || published.has(volumeId)) continue;
      if (!isFirstOfBoot || (await isLeft(found))) this.left.set(volumeId, found);
    }
    await this.removeLeft();
  }

  /** By the id that kubelet gave it. */
  find(kubeletId: string): FoundVolume | undefined {
    const found = this.volumes.findByName(ephemeralName(kubeletId));
    return found?.spec.isEphemeral === true ? found : undefined;
  }

  /** Made unless it is there. Undone by `undo` if this call made it. */
  async ensure({ pool, spec }: InlineVolume, undo: Undo, log: Log): Promise<FoundVolume> {
    const { volumeId, name } = spec;
    if (this.going.has(volumeId)) throw new Fault('busy', `volume ${volumeId} is being deleted; try again`);
    const existing = this.volumes.findByName(name);
    if (existing !== undefined) return this.claim(existing, spec);
    undo.defer('inline volume', async () => {
      await pool.remove(volumeId, log);
    });
    await pool.create(spec, undefined, log);
    log.info('inline volume created', { inlineVolumeId: volumeId, capacityBytes: spec.capacityBytes });
    return { pool, spec };
  }

  /** Its pod has gone. While a VM has it, it is tried again until it has not. */
  async release(found: FoundVolume, log: Log): Promise<void> {
    this.left.set(found.spec.volumeId, found);
    if (!(await this.remove(found, log))) {
      await leftFile(found).save({ atMs: Date.now() });
      log.info('inline volume is deleted when its VM has ended', { inlineVolumeId: found.spec.volumeId });
    }
    this.retryLater();
  }

  close(): void {
    clearTimeout(this.timer);
    this.left.clear();
  }

  private async claim(existing: FoundVolume, wanted: InlineVolume['spec']): Promise<FoundVolume> {
    const { spec } = existing;
    const isSame = spec.isEphemeral && spec.volumeId === wanted.volumeId && spec.fsType === wanted.fsType;
    if (!isSame || spec.capacityBytes !== wanted.capacityBytes) {
      const message = `volume ${spec.volumeId} exists, but is not the inline volume that is asked for`;
      throw new Fault('exists', message, { fields: { volumeId: spec.volumeId } });
    }
    if (this.left.delete(spec.volumeId)) await leftFile(existing).remove();
    return existing;
  }

  private async removeLeft(): Promise<void> {
    for (const [volumeId, found] of [...this.left]) {
      if (!this.left.has(volumeId)) continue; // published again meanwhile
      await this.remove(found, this.log).catch((error: unknown) => {
        this.log.warn('an inline volume could not be deleted; it is tried again', { volumeId, error });
      });
    }
    this.retryLater();
  }

  /** False while a VM has it. */
  private async remove({ pool, spec: { volumeId } }: FoundVolume, log: Log): Promise<boolean> {
    this.going.add(volumeId);
    try {
      await pool.remove(volumeId, log);
      this.left.delete(volumeId);
      this.onRemoved(volumeId);
      log.info('inline volume deleted', { inlineVolumeId: volumeId });
      return true;
    } catch (error) {
      if (error instanceof Fault && error.code === 'precondition') return false;
      throw error;
    } finally {
      this.going.delete(volumeId);
    }
  }

  private retryLater(): void {
    clearTimeout(this.timer);
    if (this.left.size === 0) return;
    this.timer = setTimeout(() => void this.removeLeft(), RETRY_MS);
    this.timer.unref();
  }
}
