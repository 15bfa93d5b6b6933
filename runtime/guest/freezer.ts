import { Fault } from '../../proto/fault.ts';
import type { Log } from '../system/log.ts';
import { forgive } from '../system/native/errors.ts';
import { O, sys } from '../system/native/sys.ts';
import { withOpen } from '../system/native/with-open.ts';
import type { System } from '../system/port.ts';
import { runTool, toolFault } from './tool.ts';

/** linux/fs.h. */
const FITHAW = 0xc0045878;
/** Exit statuses above are those of a child that a signal ended. */
const LAST_OWN_EXIT = 128;

interface Hold {
  /** `unwanted`: still freezing, and to be thawed as soon as it has frozen. */
  state: 'freezing' | 'unwanted' | 'frozen';
  /** Resolves when the file system is frozen. */
  frozen: Promise<void>;
  timer: ReturnType<typeof setTimeout>;
}

/**
 * Frozen file systems, by mount point, each with a timer that thaws it: a host that dies must not leave a pod that
 * cannot write. A write of the agent's own to a frozen file system would wait for ever, for the timer is the agent's.
 */
export class Freezer {
  private readonly system: System;
  private readonly log: Log;
  private readonly holds = new Map<string, Hold>();

  constructor(system: System, log: Log) {
    this.system = system;
    this.log = log;
  }

  /** Also while it is still freezing. */
  isFrozen(mountPoint: string): boolean {
    return this.holds.has(mountPoint);
  }

  /** Freezes all or none, for `timeoutMs` from now at most. What is frozen already stays so, with the new time. */
  async freeze(mountPoints: readonly string[], timeoutMs: number): Promise<void> {
    const thawing = mountPoints.find((mountPoint) => this.holds.get(mountPoint)?.state === 'unwanted');
    if (thawing !== undefined) throw new Fault('busy', `${thawing} is about to thaw; try again`);
    const holds = mountPoints.map((mountPoint) => this.ensureHold(mountPoint, timeoutMs));
    const outcomes = await Promise.allSettled(holds.map(({ frozen }) => frozen));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    for (const mountPoint of mountPoints) this.thaw(mountPoint);
    throw failed.reason;
  }

  /** True if it was frozen until now. */
  thaw(mountPoint: string): boolean {
    const hold = this.holds.get(mountPoint);
    if (hold === undefined) return false;
    clearTimeout(hold.timer);
    if (hold.state === 'frozen') return this.endHold(mountPoint);
    hold.state = 'unwanted';
    return false;
  }

  thawAll(): void {
    for (const mountPoint of [...this.holds.keys()]) this.thaw(mountPoint);
  }

  private ensureHold(mountPoint: string, timeoutMs: number): Hold {
    const expire = (): void => {
      this.log.warn('volume thawed, since nobody did in time', { mountPoint, timeoutMs });
      this.thaw(mountPoint);
    };
    const timer = setTimeout(expire, timeoutMs);
    const known = this.holds.get(mountPoint);
    if (known !== undefined) {
      clearTimeout(known.timer);
      known.timer = timer;
      return known;
    }
    const hold: Hold = { state: 'freezing', frozen: Promise.resolve(), timer };
    this.holds.set(mountPoint, hold);
    hold.frozen = this.beginHold(mountPoint, hold);
    return hold;
  }

  /** By another program, since a freeze writes out what is dirty; it is waited for, however long: it may yet succeed. */
  private async beginHold(mountPoint: string, hold: Hold): Promise<void> {
    const command = ['fsfreeze', '--freeze', mountPoint];
    const completed = await runTool(this.system, command).catch((error: unknown) => {
      this.forget(mountPoint, hold);
      throw error;
    });
    if (completed.exitCode !== 0) {
      // A foreign freeze is not ours to end; but a program that was killed may have frozen all the same.
      this.forget(mountPoint, hold);
      if (completed.exitCode > LAST_OWN_EXIT) thaw(mountPoint);
      throw toolFault(command, completed);
    }
    if (hold.state === 'unwanted') {
      this.endHold(mountPoint);
      throw new Fault('timeout', `${mountPoint} did not freeze in time, and was thawed again`);
    }
    hold.state = 'frozen';
  }

  /** Throws nothing: a timer calls it, and what a timer throws ends the VM. */
  private endHold(mountPoint: string): boolean {
    this.holds.delete(mountPoint);
    try {
      return thaw(mountPoint);
    } catch (error) {
      this.log.error('volume does not thaw', { mountPoint, error });
      return false;
    }
  }

  private forget(mountPoint: string, hold: Hold): void {
    clearTimeout(hold.timer);
    this.holds.delete(mountPoint);
  }
}

export const frozenFault = (serial: string): Fault =>
  new Fault('busy', `the disk ${serial} is frozen for a snapshot; try again`, { fields: { serial } });

/** False if it was not frozen: somebody else in the guest has thawed it. */
function thaw(mountPoint: string): boolean {
  return withOpen(mountPoint, O.RDONLY | O.DIRECTORY, (fd) =>
    forgive(['EINVAL'], false, () => {
      sys.ioctl(fd, FITHAW, 0);
      return true;
    }),
  );
}
