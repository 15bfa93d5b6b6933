import type { Accelerator } from '../../proto/accelerator.ts';
import type { ProcessIdentity } from '../../proto/sandbox-record.ts';
import type { AIO_ENGINES, CACHES, VolumeLimits } from '../../proto/volume-class.ts';

/**
 * One port for every virtual machine monitor; qemu/ and its later siblings have the same file names. A VmSpec is plain
 * data from the planner, so that a driver decides nothing: it translates.
 */
export interface VmSpec {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly accelerator: Accelerator;
  readonly kernel: string;
  readonly initrd: string;
  readonly kernelParameters: readonly string[];
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
  readonly shares: readonly Share[];
  /** Unix sockets that the VMM listens on, each carried to the guest as a virtio-serial port of that name. */
  readonly ports: readonly { readonly name: string; readonly socket: string }[];
  /** The VMM's own control socket (QMP, REST). */
  readonly controlSocket: string;
  /** File that takes the guest's serial console. */
  readonly console: string;
}

export interface Disk {
  /** Device id, unique in the VM. */
  readonly id: string;
  readonly transport: 'virtio-blk';
  readonly path: string;
  /** The path is a block device of the host's, not a file. */
  readonly isDevice?: boolean;
  /** At most 20 bytes; how the guest finds the disk. */
  readonly serial: string;
  readonly readOnly: boolean;
  /** Undefined for a disk that every VM has alike, the guest's root: as plainly as the VMM can. */
  readonly tuning?: DiskTuning;
}

/** How the VMM works a disk; the meaning of each is that of the volume's class (proto/volume-class.ts). */
export interface DiskTuning {
  readonly cache: (typeof CACHES)[number];
  readonly aio: (typeof AIO_ENGINES)[number];
  /** At least 1. */
  readonly queues: number;
  readonly iothread: boolean;
  /** Discards of the guest free blocks of the image; otherwise the disk offers none. */
  readonly discard: boolean;
}

export interface Nic {
  readonly id: string;
  readonly device: NicDevice;
  readonly mac: string;
  readonly mtu: number;
}

/** An interface of the pod's network namespace, of which the VMM is handed a descriptor for each queue. */
export interface NicDevice {
  readonly kind: 'tap' | 'macvtap';
  readonly name: string;
  /** In that namespace: another interface may come to bear the name. */
  readonly ifIndex: number;
  /** At least 1: how many the VMM opens. */
  readonly queues: number;
  /** It was made for several queues: a TAP that was can be opened in no other way, not even for one of them. */
  readonly isMultiQueue: boolean;
}

/** A host directory, exported read-only. */
export interface Share {
  readonly id: string;
  readonly transport: '9p';
  readonly tag: string;
  readonly path: string;
}

/** What this VMM on this host can do; the planner chooses by it, never by a version number. */
export interface VmmCapabilities {
  readonly version: string;
  readonly accelerators: readonly Accelerator[];
  readonly virtioBlk: boolean;
  readonly nineP: boolean;
  /** io_uring on this host's kernel too. */
  readonly ioUring: boolean;
}

export interface StartOptions {
  /** Descriptor of the pod's network namespace, which the VMM enters; undefined: the shim's own. */
  readonly netns: number | undefined;
  /** Descriptors that the VMM holds open for its life and never uses: the leases of its volumes. */
  readonly held: readonly number[];
  /** File that takes the VMM's stderr. */
  readonly log: string;
  /** The VMM is of no use without its parent, and is killed with it. A pod's VM is not: see sandbox-record.ts. */
  readonly endsWithParent?: boolean;
  /** Called as soon as the process exists, long before it answers: whoever clears up after a crash must find it. */
  readonly onProcess: (process: ProcessIdentity) => Promise<void>;
}

/** A VMM that runs, as its former shim recorded it. */
export interface RunningVm {
  readonly process: ProcessIdentity;
  readonly controlSocket: string;
  readonly log: string;
}

export interface VmExit {
  /** Undefined for a VMM that another process started: the kernel tells none but its parent. */
  readonly code: number | undefined;
  /** 0 unless one ended it. */
  readonly signal: number;
  /** What the VMM said last, for an error message. */
  readonly lastWords: string;
}

export interface DiskStatus {
  readonly id: string;
  readonly sizeBytes: number;
  /** The guest is stopped at a write for which the pool had no space. */
  readonly isOutOfSpace: boolean;
}

export interface DiskError {
  readonly diskId: string;
  readonly operation: 'read' | 'write';
  /** Nothing of it has reached the guest: it is stopped, and the request waits. Otherwise the guest was told. */
  readonly isOutOfSpace: boolean;
  /** The VMM's words. */
  readonly reason: string;
}

export interface VmmDriver {
  /** Fault `environment`, naming what installs it, if the VMM or a needed part is missing. */
  probe(): Promise<VmmCapabilities>;
  /** Spawns the VMM and answers when its control socket does; Fault `exec` with its stderr if it exits before. */
  start(spec: VmSpec, options: StartOptions): Promise<Vm>;
  /** Takes over a VM whose shim was killed. Fault `io` or `timeout` if its control socket does not answer. */
  adopt(running: RunningVm): Promise<Vm>;
}

export interface Vm {
  readonly process: ProcessIdentity;
  /** Resolves when the process is gone, whatever ended it. */
  readonly exited: Promise<VmExit>;
  /** What the VMM says of its disks. */
  disks(): Promise<readonly DiskStatus[]>;
  /** The image has the size already: has the guest see it. A disk never shrinks: nothing happens if it is as large. */
  resizeDisk(diskId: string, sizeBytes: number): Promise<void>;
  /** From now on; a disk that has no limits pays nothing for them. */
  throttleDisk(diskId: string, limits: VolumeLimits): Promise<void>;
  /** Lets a guest go on that was stopped: what failed is tried again, and may stop it again. */
  resume(): Promise<void>;
  /** From now on `listener` hears of every disk error; those before are in disks(). One listener. */
  onDiskError(listener: (error: DiskError) => void): void;
  /** SIGKILL: what the guest has flushed is kept. Resolves when it is gone. Forgives one that is gone already. */
  kill(): Promise<void>;
}
