import { type FileHandle, open } from 'node:fs/promises';
import { failpoint } from '../../../runtime/system/failpoint.ts';

/**
 * Group commit: one sync serves every verb that had changed the directory's names before the sync began. When one fails,
 * all that come after fail too, until the next start: the kernel reports a failure once, and forgets what it was about.
 */
export class DirectorySync {
  private readonly handle: FileHandle;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;

  private constructor(handle: FileHandle) {
    this.handle = handle;
  }

  static async open(directory: string): Promise<DirectorySync> {
    return new DirectorySync(await open(directory, 'r'));
  }

  /** What this process changed before the call is durable when it resolves. */
  sync(): Promise<void> {
    this.next ??= this.runNext();
    return this.next;
  }

  private async runNext(): Promise<void> {
    await this.running;
    this.running = this.handle.sync();
    this.next = undefined; // who comes from now on is too late for this one
    await this.running;
    failpoint('directory.synced');
  }

  /** When nobody waits for it any more. */
  close(): Promise<void> {
    return this.handle.close();
  }
}
