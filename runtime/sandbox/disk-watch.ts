import type { Log } from '../system/log.ts';
import type { System } from '../system/port.ts';
import { within } from '../system/within.ts';
import type { DiskError, Vm } from '../vmm/port.ts';

/** Between two tries to let a guest go on that waits for space: the first, and at most. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
/** A write that finds no space again stops the guest long before. */
const SETTLED_AFTER_MS = 500;

/**
 * What goes wrong with a pod's disks. Where the pool is out of space the VMM stops the guest at the write; nothing is
 * lost, and it is let go on as soon as there is space. Any other error was the guest's to see, and is only noted.
 */
export class DiskWatch {
  private readonly system: Pick<System, 'sleep'>;
  private readonly vm: Vm;
  private readonly log: Log;
  private readonly problems = new Map<string, string>();
  private readonly outOfSpace = new Set<string>();
  private isRetrying = false;
  private isGone = false;

  constructor(system: Pick<System, 'sleep'>, vm: Vm, log: Log) {
    this.system = system;
    this.vm = vm;
    this.log = log;
    vm.onDiskError((error) => this.note(error));
    void vm.exited.then(() => {
      this.isGone = true;
    });
  }

  /** Of a VM that another shim watched: what it knew is asked of the VMM. */
  async recall(): Promise<void> {
    for (const { id, isOutOfSpace } of await this.vm.disks()) if (isOutOfSpace) this.stopped(id);
  }

  /** The guest is stopped, and answers nobody. */
  get isStopped(): boolean {
    return this.outOfSpace.size > 0;
  }

  /** In words for a person; undefined if there is nothing. */
  problemOf(diskId: string): string | undefined {
    if (this.outOfSpace.has(diskId)) {
      return 'the pool is out of space: the VM stands still at a write, and goes on when there is space';
    }
    return this.problems.get(diskId);
  }

  private note({ diskId, operation, isOutOfSpace, reason }: DiskError): void {
    this.log.error('disk error', { diskId, operation, reason, isOutOfSpace });
    if (isOutOfSpace) {
      this.stopped(diskId);
    } else {
      const at = new Date().toISOString();
      const problem = `a ${operation} failed at ${at}, and the guest was told (${reason}); look at the pool's disk`;
      this.problems.set(diskId, problem);
    }
  }

  private stopped(diskId: string): void {
    this.outOfSpace.add(diskId);
    if (!this.isRetrying) void this.retry();
  }

  private async retry(): Promise<void> {
    this.isRetrying = true;
    for (let pauseMs = FIRST_PAUSE_MS; !this.isGone; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      await within(pauseMs, this.vm.exited);
      if (this.isGone || (await this.goesOn().catch((error: unknown) => this.noAnswer(error)))) break;
    }
    this.isRetrying = false;
  }

  /** A host whose disk is in trouble may be slow to answer; the end of a VMM is told by others. */
  private noAnswer(error: unknown): false {
    this.log.warn('the VMM does not let its guest go on', { error });
    return false;
  }

  private async goesOn(): Promise<boolean> {
    const waiting = [...this.outOfSpace];
    await this.vm.resume();
    await this.system.sleep(SETTLED_AFTER_MS);
    const stillOut = (await this.vm.disks()).filter(({ isOutOfSpace }) => isOutOfSpace).map(({ id }) => id);
    this.outOfSpace.clear();
    for (const id of stillOut) this.outOfSpace.add(id);
    if (this.isStopped) return false;
    this.log.info('there is space again, and the guest goes on', { disks: waiting });
    return true;
  }
}
