import { describeError, Fault } from '../../proto/fault.ts';
import type { Sandbox as SandboxRecord } from '../../proto/sandbox-record.ts';
import type { CreatePod, MaintainedVolume, MaintainVolume } from '../../proto/shim.ts';
import type { HandedOn } from '../guest-client/container-stdio.ts';
import { failpoint } from '../system/failpoint.ts';
import { Undo } from '../system/undo.ts';
import { within } from '../system/within.ts';
import type { Vm } from '../vmm/port.ts';
import { type CreatedPod, createPod, describeCreated, type Pod } from './create-pod.ts';
import { DiskWatch } from './disk-watch.ts';
import { ExitStatus } from './exit-status.ts';
import { maintainVolume } from './maintain-volume.ts';
import { type PodParts, PodVolumes } from './pod-volumes.ts';
import { type ResumedPod, resumePod } from './resume-pod.ts';
import type { PodContext } from './start-vm.ts';
import { StateMachine } from './state.ts';
import { stopPod } from './stop-pod.ts';
import { explainVmFailure } from './vm-failure.ts';

export interface SandboxOptions extends Omit<PodContext, 'undo' | 'checkWanted' | 'onVm'> {
  /** Removes the last of the pod: its directory. Runs once, when everything else is gone. */
  readonly release: () => Promise<void>;
}

/**
 * One pod: a VM with one container, from Create to its end, which comes by Stop, by a failed Create, or when the VMM
 * dies. Whatever ends it, the same undo takes everything back, and `ended` resolves when nothing is left.
 */
export class Sandbox {
  readonly ended: Promise<void>;
  readonly volumes = new PodVolumes(() => this.volumeParts());
  private readonly options: SandboxOptions;
  private readonly state = new StateMachine();
  private readonly undo: Undo;
  private readonly exit = new ExitStatus();
  private creation: Promise<unknown> | undefined;
  private vm: Vm | undefined;
  private watch: DiskWatch | undefined;
  private pod: Pod | undefined;
  private resuming: Promise<ResumedPod> | undefined;
  private isStarted = false;
  private ending: Promise<void> | undefined;
  private announceEnd: () => void = () => {};

  constructor(options: SandboxOptions) {
    this.options = options;
    this.undo = new Undo(options.log);
    this.ended = new Promise((resolve) => {
      this.announceEnd = resolve;
    });
  }

  /** Once: a shim has one pod, and a failed Create ends it, with everything undone. */
  create(request: CreatePod): Promise<CreatedPod> {
    this.checkUnused();
    const creation = this.orEnd(this.createOnce(request));
    this.creation = creation;
    return creation;
  }

  /** Instead of create(): works on a volume that no VM has. Nothing is left when it answers, however it ends. */
  async maintain(request: MaintainVolume): Promise<MaintainedVolume> {
    this.checkUnused();
    const work = this.orEnd(maintainVolume(this.podContext(), request));
    this.creation = work;
    const maintained = await work;
    if (this.state.transition(['creating'], 'stopping')) await this.end(this.stoppedFault());
    return maintained;
  }

  /**
   * Instead of create(): takes over the VM of a shim that was killed, whose record the store has. The container's streams
   * wait for resume().
   */
  adopt(vm: Vm): void {
    this.undo.defer('VMM', () => vm.kill());
    this.watchVm(vm)
      .recall()
      .catch((error: unknown) => this.options.log.warn('disks not asked about', { error }));
    this.state.transition(['creating'], 'running');
    void vm.exited.then(() => this.vmEnded());
  }

  /**
   * Once, after adopt(): couples the container's streams, and what the killed shim had asked of the guest is asked again.
   * Resolves with how much of the input the guest has had; see proto/shim.ts.
   */
  async resume(handedOn: HandedOn): Promise<number> {
    const { id } = this.options;
    if (this.pod !== undefined || this.resuming !== undefined) {
      throw new Fault('exists', `the container of sandbox ${id} has its streams already`);
    }
    const { pod, stdinBytes } = await this.reconnect(handedOn);
    if (this.options.store.current.container?.isStartAsked === true) await this.startContainer(pod);
    return stdinBytes;
  }

  async start(): Promise<void> {
    const pod = this.runningPod();
    const { container } = this.options.store.current;
    // First, so that a shim that takes our place knows that the container may run.
    if (container?.isStartAsked === false) {
      await this.options.store.update({ container: { ...container, isStartAsked: true } });
    }
    await this.startContainer(pod);
  }

  /** The container's exit status, when all of its output is handed on. */
  wait(): Promise<number> {
    return this.exit.settled;
  }

  async kill(signal: number, all: boolean): Promise<void> {
    await this.runningPod().agent.call('signalContainer', { containerId: this.options.id, signal, all });
  }

  /** Resolves when nothing of the pod is left. May be called at any time, and more than once. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.state.transition(['creating', 'running'], 'stopping')) {
      const { id, host, log } = this.options;
      const deadlineMs = host.system.now() + timeoutMs;
      await this.note({ state: 'stopping' });
      const pod = this.pod ?? (await this.reconnectToStop(timeoutMs / 2));
      if (pod === undefined) {
        // Whoever builds the pod finds it unwanted, or its VM gone.
        await this.vm?.kill().catch((error: unknown) => log.warn('the VMM could not be killed', { error }));
        await this.creation?.catch(() => {});
      } else {
        const exit = this.isStarted ? this.exit : undefined;
        const remainingMs = deadlineMs - host.system.now();
        await stopPod(pod, { system: host.system, log, containerId: id, exit, timeoutMs: remainingMs });
      }
      await this.end(this.stoppedFault());
    }
    await this.ended;
  }

  private async createOnce(request: CreatePod): Promise<CreatedPod> {
    const pod = await createPod(this.podContext(), request);
    if (!this.state.transition(['creating'], 'running')) throw this.stoppedFault();
    this.pod = pod;
    const { stdin, stdout, stderr } = request;
    await this.options.store.update({ state: 'running', container: { stdin, stdout, stderr, isStartAsked: false } });
    void pod.vm.exited.then(() => this.vmEnded());
    const created = describeCreated(pod, request.accelerator);
    this.options.log.info('pod created', { reasons: created.reasons });
    return created;
  }

  private podContext(): PodContext {
    return {
      ...this.options,
      undo: this.undo,
      checkWanted: () => this.checkWanted(),
      onVm: (vm) => void this.watchVm(vm),
    };
  }

  private checkUnused(): void {
    if (this.creation === undefined && this.state.current === 'creating') return;
    throw new Fault('exists', `sandbox ${this.options.id} is ${this.state.current}; it cannot be created again`);
  }

  /** What fails on the way takes everything back, and says what the guest said last. */
  private async orEnd<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const fault = await this.explain(error);
      this.options.log.error('pod not created', { error: fault });
      this.state.transition(['creating', 'running'], 'failed');
      await this.end(fault);
      throw fault;
    }
  }

  private watchVm(vm: Vm): DiskWatch {
    this.vm = vm;
    this.watch = new DiskWatch(this.options.host.system, vm, this.options.log);
    return this.watch;
  }

  private volumeParts(): PodParts {
    const { id, store } = this.options;
    const state = this.state.current;
    if (state === 'creating' || (state === 'running' && this.pod === undefined)) {
      throw new Fault('busy', `sandbox ${id} is on the way, and its guest is not to be asked yet; try again`);
    }
    const { vm, agent } = this.runningPod();
    if (this.watch === undefined) throw new Fault('internal', `nobody watches the VM of sandbox ${id}`);
    return { volumes: store.current.volumes, vm, agent, watch: this.watch };
  }

  /** The guest of an adopted VM. */
  private reconnect(handedOn: HandedOn | undefined): Promise<ResumedPod> {
    const { id, store } = this.options;
    const { container } = store.current;
    if (this.vm === undefined || container === undefined) {
      throw new Fault('precondition', `there is nothing of sandbox ${id} to resume: its VM ended with its former shim`);
    }
    const resuming = resumePod({ ...this.options, undo: this.undo }, this.vm, container, handedOn).then((resumed) => {
      this.pod = resumed.pod;
      return resumed;
    });
    this.resuming = resuming;
    return resuming;
  }

  /** Undefined if there is no guest to be had in this time. */
  private async reconnectToStop(timeoutMs: number): Promise<Pod | undefined> {
    const { store, log } = this.options;
    if (this.vm === undefined || store.current.container === undefined) return undefined;
    const resuming = this.resuming?.catch(() => this.reconnect(undefined)) ?? this.reconnect(undefined);
    const resumed = await within(timeoutMs, resuming).catch((error: unknown) => {
      log.warn('no connection to the guest', { error });
      return undefined;
    });
    if (resumed !== undefined && store.current.container.isStartAsked) this.expectExit(resumed.pod);
    return resumed?.pod;
  }

  /** The guest answers a repeated call as the first. */
  private async startContainer(pod: Pod): Promise<void> {
    await pod.agent.call('startContainer', { containerId: this.options.id });
    failpoint('container.started');
    this.expectExit(pod);
  }

  private expectExit(pod: Pod): void {
    if (!this.isStarted) void this.awaitExit(pod);
    this.isStarted = true;
  }

  private async awaitExit({ agent, stdio }: Pod): Promise<void> {
    try {
      const { exitCode } = await agent.call('waitContainer', { containerId: this.options.id });
      stdio?.closeInput();
      await stdio?.outputDone;
      this.options.log.info('container ended', { exitCode });
      this.exit.resolve(exitCode);
    } catch (error) {
      this.exit.reject(await this.explain(error));
    }
  }

  /** The VMM is gone. If nobody asked for it, the pod has failed, and ends. */
  private async vmEnded(): Promise<void> {
    if (!this.state.transition(['running'], 'failed')) return;
    const fault = await this.explain(new Fault('io', 'the VMM ended'));
    this.options.log.error('pod failed', { error: fault });
    await this.note({ state: 'failed', failure: describeError(fault) });
    await this.end(fault);
  }

  /** For whoever looks at the record; the end of a pod must not depend on it. */
  private async note(change: Partial<SandboxRecord>): Promise<void> {
    await this.options.store
      .update(change)
      .catch((error: unknown) => this.options.log.warn('record not updated', { error }));
  }

  /** Takes everything back, once. */
  private end(reason: Fault): Promise<void> {
    this.ending ??= this.endOnce(reason);
    return this.ending;
  }

  private async endOnce(reason: Fault): Promise<void> {
    const failures = await this.undo.unwind();
    failpoint('vmm.gone');
    this.exit.reject(reason);
    this.state.transition(['stopping', 'failed'], 'stopped');
    await this.options.release().catch((error: unknown) => failures.push(error));
    this.options.log.info('pod ended', { failures: failures.map(describeError) });
    this.announceEnd();
  }

  private async explain(thrown: unknown): Promise<Fault> {
    if (this.state.current === 'stopping') return this.stoppedFault();
    const { id, host, paths } = this.options;
    return explainVmFailure({ system: host.system, id, vm: this.vm, consolePath: paths.console }, thrown);
  }

  private runningPod(): Pod {
    if (this.pod !== undefined && this.state.current === 'running') return this.pod;
    throw new Fault('precondition', `sandbox ${this.options.id} is ${this.state.current}, not running`);
  }

  private checkWanted(): void {
    if (this.state.current !== 'creating') throw this.stoppedFault();
  }

  private stoppedFault(): Fault {
    return new Fault('precondition', `sandbox ${this.options.id} was stopped`);
  }
}
