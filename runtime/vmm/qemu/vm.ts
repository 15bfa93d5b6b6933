import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import type { Log } from '../../system/log.ts';
import type { Vm, VmExit } from '../port.ts';
import type { QemuProcess } from './qemu-process.ts';
import type { QmpClient } from './qmp.ts';

/** QEMU flushes its images before it ends; a disk that does not take them in this time is waited for no longer. */
const QUIT_TIMEOUT_MS = 10_000;

/** A virtual machine in QEMU, and QEMU's monitor. */
export class QemuVm implements Vm {
  readonly process: ProcessIdentity;
  readonly exited: Promise<VmExit>;
  private readonly qemu: QemuProcess;
  private readonly monitor: QmpClient;
  private readonly log: Log;

  constructor(qemu: QemuProcess, identity: ProcessIdentity, monitor: QmpClient, log: Log) {
    this.process = identity;
    this.exited = qemu.exited;
    this.qemu = qemu;
    this.monitor = monitor;
    this.log = log;
  }

  async status(): Promise<{ readonly state: 'running' | 'stopped'; readonly reason: string }> {
    const { running, status } = await this.monitor.execute('query-status');
    return { state: running ? 'running' : 'stopped', reason: status };
  }

  async quit(): Promise<void> {
    const late = setTimeout(() => {
      this.log.warn('QEMU did not end in time and is killed', { pid: this.process.pid, timeoutMs: QUIT_TIMEOUT_MS });
      void this.kill();
    }, QUIT_TIMEOUT_MS);
    // The monitor closes after the images were flushed, so that without an answer nothing is left to be waited for.
    this.monitor.execute('quit').catch(() => this.kill());
    await this.exited;
    clearTimeout(late);
  }

  kill(): Promise<void> {
    return this.qemu.kill();
  }
}
