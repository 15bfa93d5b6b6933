import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import type { VolumeLimits } from '../../../proto/volume-class.ts';
import type { Log } from '../../system/log.ts';
import type { DiskError, DiskStatus, Vm, VmExit } from '../port.ts';
import { diskBackendPath } from './disk-args.ts';
import { parseDiskError } from './disk-error.ts';
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

  async disks(): Promise<readonly DiskStatus[]> {
    return (await this.monitor.execute('query-block')).flatMap(({ 'io-status': state, inserted }) => {
      const id = inserted?.['node-name'];
      if (inserted === undefined || id === undefined) return [];
      return [{ id, sizeBytes: inserted.image['virtual-size'], isOutOfSpace: state === 'nospace' }];
    });
  }

  /** QEMU would shrink: it cuts the image off without a word. */
  async resizeDisk(diskId: string, sizeBytes: number): Promise<void> {
    const disk = (await this.disks()).find(({ id }) => id === diskId);
    if (disk !== undefined && disk.sizeBytes >= sizeBytes) return;
    await this.monitor.execute('block_resize', { 'node-name': diskId, size: sizeBytes });
  }

  /** Limits of the device's own: QEMU makes them when one is set, and drops them with the last. */
  async throttleDisk(diskId: string, { iops, bandwidthBytes }: VolumeLimits): Promise<void> {
    await this.monitor.execute('block_set_io_throttle', {
      id: diskBackendPath(diskId),
      ...{ iops, iops_rd: 0, iops_wr: 0 },
      ...{ bps: bandwidthBytes, bps_rd: 0, bps_wr: 0 },
    });
  }

  async resume(): Promise<void> {
    await this.monitor.execute('cont');
  }

  onDiskError(listener: (error: DiskError) => void): void {
    this.monitor.onEvent((name, data) => {
      if (name === 'BLOCK_IO_ERROR') listener(parseDiskError(data));
    });
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
