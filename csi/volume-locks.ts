import { Fault } from '../proto/fault.ts';

/**
 * One verb at a time for each volume and snapshot. A second one is refused at once rather than queued: the caller retries, and the
 * refusal tells it what it waits for (CSI 1.12, "Concurrency": ABORTED).
 */
export class VolumeLocks {
  private readonly holders = new Map<string, string>();

  /** All or none; answers the release. Fault `busy`, naming the other verb, while one of them is held. */
  take(ids: readonly string[], verb: string): () => void {
    const keys = new Map(ids.map((id) => [lockKey(id), id]));
    for (const [key, id] of keys) {
      const holder = this.holders.get(key);
      if (holder === undefined) continue;
      throw new Fault('busy', `${holder} is at work on ${id}; try again`, { fields: { id, holder } });
    }
    for (const key of keys.keys()) this.holders.set(key, verb);
    return () => {
      for (const key of keys.keys()) this.holders.delete(key);
    };
  }
}

/** Without the pool: a name is taken once on a node, so CreateVolume in two pools excludes itself too. */
function lockKey(volumeId: string): string {
  return volumeId.slice(volumeId.indexOf('.') + 1);
}
