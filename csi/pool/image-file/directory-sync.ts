import { type FileHandle, open, stat } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { failpoint } from '../../../runtime/system/failpoint.ts';

/**
 * Group commit: one sync serves every verb that had changed the directory's names before the sync began. When one fails,
 * all that come after fail too, until the next start: the kernel reports a failure once, and forgets what it was about.
 */
export class DirectorySync {
  private readonly path: string;
  private readonly handle: FileHandle;
  private failure: unknown;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.handle = handle;
  }

  static async open(directory: string): Promise<DirectorySync> {
    return new DirectorySync(directory, await open(directory, 'r'));
  }

  /** What this process changed before the call is durable when it resolves. */
  sync(): Promise<void> {
    this.next ??= this.runNext();
    return this.next;
  }

  /** Throws why nothing in the directory can be made durable any more. */
  async check(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    const [opened, found] = await Promise.all([this.handle.stat(), stat(this.path)]);
    if (opened.dev === found.dev && opened.ino === found.ino) return;
    throw new Fault('io', `${this.path} is not the directory that it was at the start; was its disk unmounted?`);
  }

  private async runNext(): Promise<void> {
    await this.running;
    this.running = this.handle.sync();
    this.running.catch((error: unknown) => {
      this.failure = error;
    });
    this.next = undefined; // who comes from now on is too late for this one
    await this.running;
    failpoint('directory.synced');
  }

  /** When nobody waits for it any more. */
  close(): Promise<void> {
    return this.handle.close();
  }
}
