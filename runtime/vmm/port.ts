import type { Accelerator } from '../../proto/accelerator.ts';
import type { ProcessIdentity } from '../../proto/sandbox-record.ts';

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
  /** At most 20 bytes; how the guest finds the disk. */
  readonly serial: string;
  readonly readOnly: boolean;
}

export interface Nic {
  readonly id: string;
  /** TAP in the pod's network namespace. */
  readonly tap: string;
  readonly mac: string;
  readonly mtu: number;
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
  /** `running`, or `stopped` when the VMM has stopped the guest (out of space, I/O error), with the reason. */
  status(): Promise<{ readonly state: 'running' | 'stopped'; readonly reason: string }>;
  /** Ends the VMM at once, flushing its files; falls back to kill(). Resolves when it is gone. */
  quit(): Promise<void>;
  /** SIGKILL. Resolves when it is gone. Forgives one that is gone already. */
  kill(): Promise<void>;
}
