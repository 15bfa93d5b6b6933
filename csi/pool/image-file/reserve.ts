import { open, rm } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { isOutOfSpace } from '../../../runtime/system/node/errno.ts';
import type { Files } from '../../../runtime/system/port.ts';
import type { HostCalls } from '../../host-calls.ts';

/** Some hundreds of records, with what a file system needs to name them. */
const RESERVE_BYTES = 4 << 20;

/** A file that only takes space: what a full pool gives up so that records of what is already there can be written. */
export class Reserve {
  private readonly host: Pick<HostCalls, 'allocate'>;
  private readonly path: string;
  private isWhole = false;

  constructor(host: Pick<HostCalls, 'allocate'>, path: string) {
    this.host = host;
    this.path = path;
  }

  /** At the start, and whenever space was freed. A pool that is too full for it stays as it is. */
  async fill(log: Log): Promise<void> {
    if (this.isWhole) return;
    try {
      await (await open(this.path, 'a', 0o600)).close();
      await this.host.allocate(this.path, RESERVE_BYTES);
      this.isWhole = true;
    } catch (error) {
      log.warn('the pool is too full to reserve space for records', { path: this.path, error });
    }
  }

  /** Runs `body`, and once more with the reserve's space if there is none. */
  async lend<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (!isForSpace(error)) throw error;
      this.isWhole = false;
      await rm(this.path, { force: true });
      return body();
    }
  }
}

/** Files whose durable writes may draw on the reserve. */
export function withReserve(files: Files, reserve: Reserve): Files {
  return {
    ...files,
    writeFile: (path, data, options) => {
      const write = () => files.writeFile(path, data, options);
      return options.durable ? reserve.lend(write) : write();
    },
  };
}

/** Whether something failed for want of space, however deep it says so. */
export function isForSpace(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isOutOfSpace(cause) || (cause instanceof Fault && cause.code === 'exhausted')) return true;
  }
  return false;
}
