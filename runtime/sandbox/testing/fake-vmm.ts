import type { DiskError, DiskStatus, StartOptions, Vm, VmExit, VmmDriver, VmSpec } from '../../vmm/port.ts';

export const VMM = { pid: 7, startTicks: 7 };
/** Of the VMM in `open`, for as long as it lives. */
const VM_FD = 0;

export interface VmmPlace {
  readonly journal: string[];
  /** Descriptors by what they are: the VMM gets some of them. */
  readonly open: Map<number, string>;
  /** What a guest that boots prints. */
  readonly onBoot: () => unknown;
  /** Of the VMM, however it comes. */
  readonly onEnd: () => void;
}

/** A VMM whose process is a promise: a test says how its disks fare, and when it dies. */
export class FakeVmm implements VmmDriver {
  /** What it says of its disks, and how it says that one fails. */
  disks: readonly DiskStatus[] = [];
  reportDiskError: (error: DiskError) => void = () => {};
  onResume: () => Promise<void> = async () => {};
  private readonly place: VmmPlace;
  private announceEnd: (exit: VmExit) => void = () => {};

  constructor(place: VmmPlace) {
    this.place = place;
  }

  async probe() {
    return { version: 'fake', accelerators: ['tcg'], virtioBlk: true, nineP: true, ioUring: true } as const;
  }

  async start(_spec: VmSpec, { held, onProcess }: StartOptions): Promise<Vm> {
    await onProcess(VMM);
    this.place.journal.push(`VM holding ${held.map((fd) => this.place.open.get(fd)).join()}`);
    this.place.onBoot();
    return this.vm();
  }

  async adopt({ process }: Parameters<VmmDriver['adopt']>[0]): Promise<Vm> {
    this.place.journal.push(`VM ${process.pid} adopted`);
    return this.vm();
  }

  /** It dies, as by kill -9 or of itself. */
  kill(exit: Partial<VmExit> = {}): void {
    this.place.onEnd();
    this.announceEnd({ code: -1, signal: 9, lastWords: '', ...exit });
  }

  private vm(): Vm {
    const { journal, open } = this.place;
    const exited = new Promise<VmExit>((resolve) => {
      this.announceEnd = resolve;
    });
    void exited.then(() => open.delete(VM_FD));
    open.set(VM_FD, 'VM');
    return {
      process: VMM,
      exited,
      kill: async () => {
        journal.push('VM killed');
        this.kill();
      },
      disks: async () => this.disks,
      resizeDisk: async (id, sizeBytes) => void journal.push(`${id} resized to ${sizeBytes}`),
      throttleDisk: async (id, { iops, bandwidthBytes }) =>
        void journal.push(`${id} throttled to ${iops}/s, ${bandwidthBytes} B/s`),
      resume: async () => {
        journal.push('VM resumed');
        await this.onResume();
      },
      onDiskError: (listener) => {
        this.reportDiskError = listener;
      },
    };
  }
}
