import { describeError } from '../../proto/fault.ts';
import type { VolumeId } from '../../proto/ids.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import type { Log } from '../../runtime/system/log.ts';
import type { PodShim, PodShims } from '../pod-shims.ts';

/** What a copy of a volume is worth, and why it is not worth more. */
export type Trust = Pick<VolumeSnapshot, 'consistency' | 'remark'>;

/**
 * After which the guest thaws by itself, whatever became of us. Instant copies take milliseconds, and programs in the
 * guest hang at their next write until then.
 */
const HELD_AT_MOST_MS = 10_000;

/**
 * The file systems of one VM, frozen as one around a copy of their disks. A guest that cannot be frozen is no failure,
 * but said of the copy: it is then as after a power cut, which file systems survive. Nothing here throws.
 */
export class GuestFreeze {
  private readonly shims: PodShims;
  private readonly sandboxId: string;
  private readonly volumeIds: readonly VolumeId[];
  private readonly log: Log;
  /** Volumes that the guest has as block devices. */
  private raw: ReadonlySet<VolumeId> = new Set();
  /** Those that the guest was asked to freeze. */
  private asked: readonly VolumeId[] = [];
  /** Why the file systems are not frozen; undefined while they are. */
  private problem: string | undefined = 'the guest was not asked to freeze';
  /** By the monotonic clock. */
  private frozenAtMs = 0;
  private thawing: Promise<void> | undefined;

  constructor(shims: PodShims, sandboxId: string, volumeIds: readonly VolumeId[], log: Log) {
    this.shims = shims;
    this.sandboxId = sandboxId;
    this.volumeIds = volumeIds;
    this.log = log.with({ sandboxId });
  }

  async begin(): Promise<void> {
    try {
      const asked = await this.shims.ask(this.sandboxId, (shim) => this.freeze(shim));
      this.problem = asked === undefined ? 'the shim of its pod does not listen' : undefined;
    } catch (error) {
      this.problem = `its guest could not be frozen: ${describeError(error)}`;
      await this.thaw();
    }
  }

  /** The first call thaws, also after a freeze that failed: it may have reached the guest. */
  thaw(): Promise<void> {
    this.thawing ??= this.release();
    return this.thawing;
  }

  /** Once thawed. */
  trustOf(volumeId: VolumeId): Trust {
    if (this.raw.has(volumeId)) {
      return { consistency: 'crash', remark: 'the guest has it as a block device, of which nothing can be frozen' };
    }
    if (this.problem === undefined) return { consistency: 'frozen', remark: '' };
    return { consistency: 'crash', remark: this.problem };
  }

  /** A guest that does not even answer how full its disks are is not kept from its writes as well. */
  private async freeze(shim: PodShim): Promise<true> {
    const measured = await Promise.all(this.volumeIds.map((volumeId) => shim.call('measureVolume', { volumeId })));
    // A VM that stands still cannot say how large its file systems are, either; then there is a problem.
    const isRaw = (index: number) => measured[index]?.capacityBytes === 0 && measured[index].problem === '';
    this.raw = new Set(this.volumeIds.filter((_id, index) => isRaw(index)));
    const volumeIds = this.volumeIds.filter((volumeId) => !this.raw.has(volumeId));
    if (volumeIds.length === 0) return true;
    this.asked = volumeIds;
    await shim.call('freezeVolumes', { volumeIds, timeoutMs: HELD_AT_MOST_MS });
    this.frozenAtMs = performance.now();
    return true;
  }

  private async release(): Promise<void> {
    const volumeIds = this.asked;
    if (volumeIds.length === 0) return;
    try {
      const thawed = await this.shims.ask(this.sandboxId, (shim) => shim.call('thawVolumes', { volumeIds }));
      if (thawed === undefined) this.problem ??= 'the shim of its pod was gone before the copy was whole';
      else if (thawed.wasHeld) this.log.info('guest was frozen', { volumeIds, ms: this.heldMs() });
      else this.problem ??= 'its guest had thawed by itself before the copy was whole';
    } catch (error) {
      this.problem ??= `its guest could not be asked whether it was frozen to the end: ${describeError(error)}`;
      this.log.warn('the guest was not thawed; it does so by itself', { afterMs: HELD_AT_MOST_MS, error });
    }
  }

  private heldMs(): number {
    return Math.round(performance.now() - this.frozenAtMs);
  }
}
