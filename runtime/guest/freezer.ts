import { Fault } from '../../proto/fault.ts';
import type { Log } from '../system/log.ts';
import { forgive } from '../system/native/errors.ts';
import { O, sys } from '../system/native/sys.ts';
import { withOpen } from '../system/native/with-open.ts';
import type { System } from '../system/port.ts';
import { requireTool, runTool, toolFault } from './tool.ts';

/** linux/fs.h. */
const FITHAW = 0xc0045878;
/** Exit statuses above are those of a child that a signal ended. */
const LAST_OWN_EXIT = 128;

interface Hold {
  /** `unwanted`: not frozen yet, and to be thawed as soon as it has frozen. */
  state: 'freezing' | 'unwanted' | 'frozen';
  /** Resolves when the file system is frozen. */
  frozen: Promise<void>;
  timeoutMs: number;
  timer: ReturnType<typeof setTimeout> | undefined;
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

  /**
   * Freezes all or none, for `timeoutMs` at most. What is frozen already stays so, with the new time. What is dirty is
   * written out before, of all of them, while programs still write: a freeze would do it while they wait. It gets as much
   * time, after which nothing is frozen.
   */
  async freeze(mountPoints: readonly string[], timeoutMs: number): Promise<void> {
    const thawing = mountPoints.find((mountPoint) => this.holds.get(mountPoint)?.state === 'unwanted');
    if (thawing !== undefined) throw new Fault('busy', `${thawing} is about to thaw; try again`);
    const written = this.writeOut(mountPoints.filter((mountPoint) => !this.holds.has(mountPoint)));
    const holds = mountPoints.map((mountPoint) => this.ensureHold(mountPoint, timeoutMs, written));
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

  private async writeOut(mountPoints: readonly string[]): Promise<void> {
    await Promise.all(mountPoints.map((mountPoint) => requireTool(this.system, ['sync', '--file-system', mountPoint])));
  }

  private ensureHold(mountPoint: string, timeoutMs: number, written: Promise<void>): Hold {
    const known = this.holds.get(mountPoint);
    const hold: Hold = known ?? { state: 'freezing', frozen: Promise.resolve(), timeoutMs, timer: undefined };
    hold.timeoutMs = timeoutMs;
    this.restartTimer(mountPoint, hold);
    if (known !== undefined) return known;
    this.holds.set(mountPoint, hold);
    hold.frozen = this.beginHold(mountPoint, hold, written);
    return hold;
  }

  private restartTimer(mountPoint: string, hold: Hold): void {
    const { timeoutMs } = hold;
    const expire = (): void => {
      this.log.warn('volume thawed, since nobody did in time', { mountPoint, timeoutMs });
      this.thaw(mountPoint);
    };
    clearTimeout(hold.timer);
    hold.timer = setTimeout(expire, timeoutMs);
  }

  /** By another program, since a freeze writes out what is left; it is waited for, however long: it may yet succeed. */
  private async beginHold(mountPoint: string, hold: Hold, written: Promise<void>): Promise<void> {
    await written.catch((error: unknown) => {
      this.forget(mountPoint, hold);
      throw error;
    });
    if (isUnwanted(hold)) {
      this.forget(mountPoint, hold);
      throw new Fault('timeout', `what is dirty of ${mountPoint} was not written out in time; it was not frozen`);
    }
    this.restartTimer(mountPoint, hold);
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
    if (isUnwanted(hold)) {
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

/** The state changes while others are waited for, which the compiler does not see. */
const isUnwanted = ({ state }: Hold): boolean => state === 'unwanted';

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
