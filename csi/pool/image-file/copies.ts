import { readdir, readFile, rm } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { Fault } from '../../../proto/fault.ts';
import type { SnapshotId } from '../../../proto/ids.ts';
import { VOLUME_FILES, type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { errorCode } from '../../../runtime/system/node/errno.ts';
import type { PoolSource } from '../port.ts';
import { clearAway } from './build.ts';
import { type CopyWatch, progressFile, runCopy } from './copy-job.ts';
import { type CopyOrder, orderVolume } from './copy-order.ts';
import { type PoolState, toPoolFault } from './state.ts';
import { Turns } from './turns.ts';

/** More would only take turns at the pool's disk, of which the VMs want their share too. */
const AT_ONCE = 2;

interface Progress {
  isWaiting: boolean;
  copiedBytes: number;
  totalBytes: number;
}

interface Job {
  readonly order: CopyOrder;
  readonly abort: AbortController;
  readonly progress: Progress;
  /** Never rejects: what went wrong is for the one who asks next. */
  readonly ended: Promise<void>;
}

/** Reasons to stop. */
const CANCELLED = new Fault('busy', 'the copy was cancelled, as its target is being deleted');
const CLOSING = new Fault('busy', 'the driver is stopping; the copy goes on at its next start');

/** Copies that outlive the verbs which asked for them, by the id of what they make; a few at a time, the others wait. */
export class Copies {
  private readonly pool: PoolState;
  private readonly patienceMs: number;
  private readonly log: Log;
  private readonly jobs = new Map<string, Job>();
  /** By the id of what was to be made: for who asks for the same again. */
  private readonly failures = new Map<string, { readonly key: string; readonly fault: Fault }>();
  private readonly turns = new Turns(AT_ONCE);

  /** A verb waits so long for a copy before it answers how far it is. */
  constructor(pool: PoolState, patienceMs: number, log: Log) {
    this.pool = pool;
    this.patienceMs = patienceMs;
    this.log = log;
  }

  /** Resolves when the copy is there; `busy`, with the progress, while it takes longer. A repeated order finds its job. */
  async run(order: CopyOrder): Promise<void> {
    const { id } = order.target;
    this.throwFailure(order);
    const job = this.jobs.get(id) ?? (await this.start(order));
    if (job.order.key !== order.key) throw otherwise(id);
    if (!(await endsWithin(job, this.patienceMs))) throw describeProgress(job);
    this.throwFailure(order);
  }

  /** Ends the copy that makes `id`, and removes what there is of it. False if there was none, or if it is whole by now. */
  async cancel(id: string): Promise<boolean> {
    const job = this.jobs.get(id);
    job?.abort.abort(CANCELLED);
    await job?.ended;
    return this.failures.delete(id);
  }

  /** Fault `exists` while a copy makes `id`, which cannot be made of anything else then. */
  requireUnmade(id: string): void {
    if (this.jobs.has(id)) throw otherwise(id);
  }

  /** Fault `precondition` while a copy reads the snapshot. */
  requireUnread(snapshotId: SnapshotId): void {
    for (const { order } of this.jobs.values()) {
      if (order.source.kind !== 'snapshot' || order.source.snapshotId !== snapshotId) continue;
      const { id } = order.target;
      const message = `snapshot ${snapshotId} is being copied to ${id}; wait until that is there, or delete it`;
      throw new Fault('precondition', message, { fields: { snapshotId, target: id } });
    }
  }

  /**
   * At the start: goes on with copies of snapshots, which have not changed. A volume's lease ended with the server that
   * held it: a guest may have written since, so its copy begins anew when it is asked for again.
   */
  async resume(): Promise<void> {
    for (const id of await readdir(this.pool.paths.copies)) {
      const spec = await this.readResumable(id);
      if (spec === undefined) {
        this.log.warn('removing a copy that cannot be gone on with', { id });
        await rm(`${this.pool.paths.copies}/${id}`, { recursive: true });
      } else {
        this.log.info('going on with a copy', { id });
        const order = orderVolume(this.pool, spec, spec.source);
        this.pool.budget.add(id, order.bytes);
        this.launch(order);
      }
    }
  }

  /** Stops them; the next start goes on. */
  async close(): Promise<void> {
    for (const { abort } of this.jobs.values()) abort.abort(CLOSING);
    await Promise.all([...this.jobs.values()].map(({ ended }) => ended));
  }

  private async start(order: CopyOrder): Promise<Job> {
    await this.pool.budget.take(order.target.id, order.bytes);
    return this.launch(order);
  }

  private launch(order: CopyOrder): Job {
    const { id } = order.target;
    const abort = new AbortController();
    const progress = { isWaiting: true, copiedBytes: 0, totalBytes: 0 };
    const watch = {
      signal: abort.signal,
      onBegun: () => {
        progress.isWaiting = false;
      },
      onTotal: (bytes: number) => {
        progress.totalBytes = bytes;
      },
      onCopied: (bytes: number) => {
        progress.copiedBytes += bytes;
      },
    };
    const ended = this.copyInTurn(order, watch)
      .catch((cause: unknown) => this.fail(order, cause))
      .finally(() => this.jobs.delete(id));
    const job = { order, abort, progress, ended };
    this.jobs.set(id, job);
    return job;
  }

  /** One that waits holds nothing yet: a pod may use the volume that it is to read. */
  private async copyInTurn(order: CopyOrder, watch: CopyWatch & { onBegun(): void }): Promise<void> {
    const end = await this.turns.take(watch.signal);
    watch.onBegun();
    try {
      await runCopy(this.pool, order, watch, this.log);
    } finally {
      end();
    }
  }

  private async fail(order: CopyOrder, cause: unknown): Promise<void> {
    const { id } = order.target;
    if (cause !== CLOSING) {
      this.log.error('a copy failed', { id, error: cause });
      this.pool.budget.forget(id);
      await clearAway(`${this.pool.paths.copies}/${id}`, this.log);
    }
    // Last: who is told may begin anew at once.
    const fault = toPoolFault(this.pool, cause, `copy to ${id}`, id);
    this.failures.set(id, { key: order.key, fault });
  }

  private throwFailure({ target: { id }, key }: CopyOrder): void {
    const failure = this.failures.get(id);
    if (!this.failures.delete(id) || failure?.key !== key) return;
    throw failure.fault;
  }

  private async readResumable(id: string): Promise<(VolumeSpec & { source: PoolSource }) | undefined> {
    try {
      const path = `${this.pool.paths.copies}/${id}/${VOLUME_FILES.spec}`;
      const { source, ...spec } = volumeSpecRecord.decode(await readFile(path, 'utf8'), path);
      const isThere = source?.kind === 'snapshot' && this.pool.snapshots.has(source.snapshotId);
      const progress = await progressFile(this.pool, id).load();
      if (source === undefined || !isThere || progress === undefined || spec.volumeId !== id) return undefined;
      return { ...spec, source };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') this.log.warn('a copy cannot be read', { id, error });
      return undefined;
    }
  }
}

const otherwise = (id: string): Fault =>
  new Fault('exists', `${id} is being made otherwise than it is asked for now`, { fields: { id } });

async function endsWithin({ ended }: Job, patienceMs: number): Promise<boolean> {
  const waiting = new AbortController();
  const patience = setTimeout(patienceMs, false, { signal: waiting.signal }).catch(() => false);
  const hasEnded = await Promise.race([ended.then(() => true), patience]);
  waiting.abort();
  return hasEnded;
}

function describeProgress({ order, progress }: Job): Fault {
  const { id } = order.target;
  const { totalBytes } = progress;
  const percent = totalBytes === 0 ? 0 : Math.floor((progress.copiedBytes / totalBytes) * 100);
  const message = `${id} is being copied: ${describe(progress, percent)}; ask again`;
  return new Fault('busy', message, { fields: { id, percent, totalBytes } });
}

function describe({ isWaiting, totalBytes }: Progress, percent: number): string {
  if (isWaiting) return `it waits for its turn, as ${AT_ONCE} others are copied in this pool`;
  return totalBytes === 0 ? 'it has just begun' : `${percent} % of ${totalBytes} bytes are done`;
}
