import { statfs } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import type { PoolSpace } from '../port.ts';

/**
 * What a pool has promised: to volumes their whole size, to snapshots what they can come to hold alone. What others come
 * to keep on its file system is seen at the next start only: a pool wants a file system of its own.
 */
export class Budget {
  private readonly pool: string;
  private readonly root: string;
  private readonly overcommit: number;
  private readonly promises = new Map<string, number>();
  private promisedBytes = 0;
  private othersBytes = 0;

  constructor(pool: string, root: string, overcommit: number) {
    this.pool = pool;
    this.root = root;
    this.overcommit = overcommit;
  }

  /** What there is at the start, of which so many bytes are allocated: everything else in use is of others. */
  async begin(promises: ReadonlyMap<string, number>, allocatedBytes: number): Promise<void> {
    const { totalBytes, freeBytes } = await this.device();
    this.othersBytes = Math.max(0, totalBytes - freeBytes - allocatedBytes);
    for (const [id, bytes] of promises) this.add(id, bytes);
  }

  /** Whether there is as much or not. */
  add(id: string, bytes: number): void {
    this.promises.set(id, (this.promises.get(id) ?? 0) + bytes);
    this.promisedBytes += bytes;
  }

  /** To `id`, beside what it has. Fault `exhausted` if there is not as much. */
  async take(id: string, bytes: number): Promise<void> {
    const device = await this.device();
    // No await from here on: two that are asked for at once do not both get the last of it.
    const { availableBytes } = toSpace(device, this.promised());
    if (bytes > availableBytes) {
      const message =
        `pool ${this.pool} can promise ${availableBytes} bytes more, and ${id} takes ${bytes}; ` +
        `enlarge the file system of ${this.root}, or raise "overcommit" of --pool ${this.pool}`;
      throw new Fault('exhausted', message, { fields: { pool: this.pool, id, bytes, availableBytes } });
    }
    this.add(id, bytes);
  }

  giveBack(id: string, bytes: number): void {
    this.add(id, -bytes);
  }

  forget(id: string): void {
    this.giveBack(id, this.promises.get(id) ?? 0);
    this.promises.delete(id);
  }

  async space(): Promise<PoolSpace> {
    const device = await this.device();
    return toSpace(device, this.promised());
  }

  private promised(): Promised {
    const { promisedBytes, othersBytes, overcommit } = this;
    return { promisedBytes, othersBytes, overcommit };
  }

  private async device(): Promise<Device> {
    const { blocks, bavail, bsize } = await statfs(this.root);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }
}

interface Device {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

interface Promised {
  readonly promisedBytes: number;
  readonly othersBytes: number;
  readonly overcommit: number;
}

/** No volume is larger than what the pool can ever have, and none is promised more than what is free, over-committed. */
export function toSpace({ totalBytes, freeBytes }: Device, promised: Promised): PoolSpace {
  const { promisedBytes, othersBytes, overcommit } = promised;
  const ownBytes = Math.max(0, totalBytes - othersBytes);
  const byLimit = Number.isFinite(overcommit) ? ownBytes * overcommit - promisedBytes : ownBytes;
  const byDevice = freeBytes === 0 ? 0 : freeBytes * overcommit;
  const availableBytes = Math.max(0, Math.floor(Math.min(byLimit, byDevice)));
  return { totalBytes, availableBytes, maximumVolumeBytes: Math.min(availableBytes, ownBytes), freeBytes };
}
