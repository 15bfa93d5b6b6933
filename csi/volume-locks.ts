import { Fault } from '../proto/fault.ts';

/** What a verb works on. Ids of volumes, snapshots and groups, and target paths. */
export interface LockPlan {
  /** No other verb works on these, or looks at them for longer than an instant. */
  readonly locks?: readonly string[];
  /** Must stay as they are meanwhile, and others may share them: sources of copies. */
  readonly shares?: readonly string[];
}

interface Holder {
  readonly verb: string;
  /** Of verbs that share it; undefined: one has it alone. */
  sharers: number | undefined;
}

/**
 * One verb at a time for each volume and snapshot. A second one is refused at once rather than queued: the caller
 * retries, and the refusal tells it what it waits for (CSI 1.12, "Concurrency": ABORTED).
 */
export class VolumeLocks {
  private readonly holders = new Map<string, Holder>();

  /** All or none; answers the release. Fault `busy`, naming the other verb, while one of them is held. */
  take({ locks = [], shares = [] }: LockPlan, verb: string): () => void {
    const alone = new Map(locks.map((id) => [lockKey(id), id]));
    const shared = new Map(shares.map((id) => [lockKey(id), id]));
    for (const key of alone.keys()) shared.delete(key);
    for (const [key, id] of alone) refuse(this.holders.get(key), id);
    for (const [key, id] of shared) {
      const holder = this.holders.get(key);
      if (holder?.sharers === undefined) refuse(holder, id);
    }
    for (const key of alone.keys()) this.holders.set(key, { verb, sharers: undefined });
    for (const key of shared.keys()) this.share(key, verb);
    return () => {
      for (const key of alone.keys()) this.holders.delete(key);
      for (const key of shared.keys()) this.unshare(key);
    };
  }

  private share(key: string, verb: string): void {
    const holder = this.holders.get(key);
    if (holder?.sharers === undefined) this.holders.set(key, { verb, sharers: 1 });
    else holder.sharers += 1;
  }

  private unshare(key: string): void {
    const holder = this.holders.get(key);
    if (holder?.sharers === undefined || holder.sharers === 1) this.holders.delete(key);
    else holder.sharers -= 1;
  }
}

function refuse(holder: Holder | undefined, id: string): void {
  if (holder === undefined) return;
  throw new Fault('busy', `${holder.verb} is at work on ${id}; try again`, { fields: { id, holder: holder.verb } });
}

/** Of an id without the pool: a name is taken once on a node, so CreateVolume in two pools excludes itself too. */
function lockKey(id: string): string {
  return id.startsWith('/') ? id : id.slice(id.indexOf('.') + 1);
}
