import type { ProcessIdentity } from '../../../proto/sandbox-record.ts';
import type { VolumeLimits } from '../../../proto/volume-class.ts';
import type { DiskError, DiskStatus, Vm, VmExit } from '../port.ts';
import { diskBackendPath } from './disk-args.ts';
import { parseDiskError } from './disk-error.ts';
import type { QemuProcess } from './qemu-process.ts';
import type { QmpClient } from './qmp.ts';

/** A virtual machine in QEMU, and QEMU's monitor. */
export class QemuVm implements Vm {
  readonly process: ProcessIdentity;
  readonly exited: Promise<VmExit>;
  private readonly qemu: QemuProcess;
  private readonly monitor: QmpClient;

  constructor(qemu: QemuProcess, identity: ProcessIdentity, monitor: QmpClient) {
    this.process = identity;
    this.exited = qemu.exited;
    this.qemu = qemu;
    this.monitor = monitor;
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

  kill(): Promise<void> {
    return this.qemu.kill();
  }
}
