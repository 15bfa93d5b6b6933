import { syncDirectory } from '../../../runtime/system/node/system.ts';

/** Group commit: one sync serves every verb that had changed the directory's names before the sync began. */
export class DirectorySync {
  private readonly directory: string;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** What this process changed before the call is durable when it resolves. */
  sync(): Promise<void> {
    this.next ??= this.runNext();
    return this.next;
  }

  private async runNext(): Promise<void> {
    await this.running.catch(() => undefined); // those who waited for it know
    this.running = syncDirectory(this.directory);
    this.next = undefined; // who comes from now on is too late for this one
    await this.running;
  }
}
