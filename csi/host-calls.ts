import type { DeviceNumber } from '../runtime/system/device-number.ts';

/**
 * What Node cannot ask of the kernel by itself. A small process of the static binary's kind answers (host-process.ts), so
 * that no verb pays for starting a program. Every call throws a Fault that names path and errno.
 */
export interface HostCalls {
  mount(request: MountCall): Promise<void>;
  /** The topmost mount at the path; symbolic links are not followed. Fault `invalid` (EINVAL) if there is none. */
  unmount(target: string): Promise<void>;
  /** Takes a flock(2) of the file, which must be there; undefined when another open file has it. */
  tryLock(path: string): Promise<HostLock | undefined>;
  /**
   * The whole content of `from`, shared until one of them is written (FICLONE). `to` is made (0600) if it is not there.
   * `unsupported` where that is not to be had.
   */
  clone(from: string, to: string): Promise<void>;
  /** Allocates what is not allocated yet of the first `sizeBytes`, and extends the file to it. `exhausted` without space. */
  allocate(path: string, sizeBytes: number): Promise<void>;
  /** Where the file's data are on its device (FIEMAP, after writing out what is dirty). */
  extents(path: string): Promise<readonly FileExtent[]>;
  /** A loop device of the file, which it takes as backing file; found again by loopsOf. */
  attachLoop(path: string, options: { readonly readOnly: boolean }): Promise<LoopDevice>;
  loopsOf(path: string): Promise<readonly LoopDevice[]>;
  /** At once, or when the last who has it open closes it. One that is not attached is no failure. */
  detachLoop(device: LoopDevice): Promise<void>;
  /** Makes a node for the block device of this number at `path`, mode 0600. `exists` if there is something. */
  makeDeviceNode(path: string, device: DeviceNumber): Promise<void>;
}

export interface MountCall {
  readonly source: string;
  readonly target: string;
  readonly fsType: string;
  /** MS_* of mount(2). */
  readonly flags: number;
  readonly data: string;
}

export interface HostLock {
  release(): Promise<void>;
}

export interface FileExtent {
  readonly logical: number;
  readonly physical: number;
  readonly length: number;
  /** Allocated, but reads as zero. */
  readonly isUnwritten: boolean;
  /** Whether `physical` tells the content: not where data are packed, encoded or not yet placed. */
  readonly isPlaced: boolean;
}

export interface LoopDevice extends DeviceNumber {
  /** `/dev/loop3` */
  readonly path: string;
}
