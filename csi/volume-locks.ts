import { Fault } from '../proto/fault.ts';

/**
 * One verb at a time for each volume. A second one is refused at once rather than queued: the caller retries, and the
 * refusal tells it what it waits for (CSI 1.12, "Concurrency": ABORTED).
 */
export class VolumeLocks {
  private readonly holders = new Map<string, string>();

  /** Answers the release. Fault `busy` while another verb holds the volume. */
  take(volumeId: string, verb: string): () => void {
    const key = lockKey(volumeId);
    const holder = this.holders.get(key);
    if (holder !== undefined) {
      throw new Fault('busy', `${holder} is at work on volume ${volumeId}; try again`, {
        fields: { volumeId, holder },
      });
    }
    this.holders.set(key, verb);
    return () => {
      this.holders.delete(key);
    };
  }
}

/** Without the pool: a name is taken once on a node, so CreateVolume in two pools excludes itself too. */
function lockKey(volumeId: string): string {
  return volumeId.slice(volumeId.indexOf('.') + 1);
}
