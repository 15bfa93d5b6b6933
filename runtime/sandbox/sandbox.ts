import { describeError, Fault } from '../../proto/fault.ts';
import type { Sandbox as SandboxRecord } from '../../proto/sandbox-record.ts';
import type { CreatePod, MaintainedVolume, MaintainVolume } from '../../proto/shim.ts';
import type { HandedOn } from '../guest-client/container-stdio.ts';
import { failpoint } from '../system/failpoint.ts';
import { Undo } from '../system/undo.ts';
import { within } from '../system/within.ts';
import type { Vm } from '../vmm/port.ts';
import { boundLogs } from './bound-logs.ts';
import { type CreatedPod, createPod, describeCreated, type Pod } from './create-pod.ts';
import { DiskWatch } from './disk-watch.ts';
import { maintainVolume } from './maintain-volume.ts';
import { PodContainers } from './pod-containers.ts';
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
 * One pod: a VM with its containers, from Create to its end, which comes by Stop, by a failed Create, or when the VMM
 * dies. Whatever ends it, the same undo takes everything back, and `ended` resolves when nothing is left.
 */
export class Sandbox {
  readonly ended: Promise<void>;
  readonly volumes = new PodVolumes(() => this.volumeParts());
  private readonly options: SandboxOptions;
  private readonly state = new StateMachine();
  private readonly undo: Undo;
  private readonly containers: PodContainers;
  private creation: Promise<unknown> | undefined;
  private vm: Vm | undefined;
  private watch: DiskWatch | undefined;
  private pod: Pod | undefined;
  private resuming: Promise<ResumedPod> | undefined;
  private ending: Promise<void> | undefined;
  private announceEnd: () => void = () => {};

  constructor(options: SandboxOptions) {
    this.options = options;
    this.undo = new Undo(options.log);
    this.containers = new PodContainers({
      ...{ sandboxId: options.id, store: options.store, log: options.log },
      explain: (thrown) => this.explain(thrown),
    });
    this.ended = new Promise((resolve) => {
      this.announceEnd = resolve;
    });
  }

  /** Once: a shim has one pod, and a failed Create ends it, with everything undone. */
  create(request: CreatePod): Promise<CreatedPod> {
    this.checkUnused();
    this.containers.declare(request.containers);
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
   * Instead of create(): takes over the VM of a shim that was killed, whose record the store has. The containers' streams
   * wait for resume().
   */
  adopt(vm: Vm): void {
    this.undo.defer('VMM', () => vm.kill());
    this.containers.declare(this.options.store.current.containers);
    this.watchVm(vm)
      .recall()
      .catch((error: unknown) => this.options.log.warn('disks not asked about', { error }));
    this.state.transition(['creating'], 'running');
    void vm.exited.then(() => this.vmEnded());
  }

  /**
   * Once, after adopt(): couples the containers' streams, and what the killed shim had asked of the guest is asked again.
   * Both maps are by container id: what of the outputs was handed on, and how much of the input the guest has had; see
   * proto/shim.ts.
   */
  async resume(handedOn: ReadonlyMap<string, HandedOn>): Promise<ReadonlyMap<string, number>> {
    const { id } = this.options;
    if (this.pod !== undefined || this.resuming !== undefined) {
      throw new Fault('exists', `the containers of sandbox ${id} have their streams already`);
    }
    const { pod, stdinBytes } = await this.reconnect(handedOn);
    for (const container of this.containers.startAsked()) await container.start(pod);
    return stdinBytes;
  }

  /** Here and below, an empty id is the main container's. */
  async start(containerId: string): Promise<void> {
    await this.containers.start(containerId, this.runningPod());
  }

  /** The container's exit status, when all of its output is handed on. */
  async wait(containerId: string): Promise<number> {
    return this.containers.find(containerId).exit.settled;
  }

  async kill(containerId: string, signal: number, all: boolean): Promise<void> {
    const { agent } = this.runningPod();
    await agent.call('signalContainer', { containerId: this.containers.find(containerId).id, signal, all });
  }

  /** Resolves when nothing of the pod is left. May be called at any time, and more than once. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.state.transition(['creating', 'running'], 'stopping')) {
      const { host, log } = this.options;
      const deadlineMs = host.system.now() + timeoutMs;
      await this.note({ state: 'stopping' });
      const pod = this.pod ?? (await this.reconnectToStop(timeoutMs / 2));
      if (pod === undefined) {
        // Whoever builds the pod finds it unwanted, or its VM gone.
        await this.vm?.kill().catch((error: unknown) => log.warn('the VMM could not be killed', { error }));
        await this.creation?.catch(() => {});
      } else {
        const { all } = this.containers;
        const remainingMs = deadlineMs - host.system.now();
        await stopPod(pod, { system: host.system, log, containers: all, timeoutMs: remainingMs });
      }
      await this.end(this.stoppedFault());
    }
    await this.ended;
  }

  private async createOnce(request: CreatePod): Promise<CreatedPod> {
    const pod = await createPod(this.podContext(), request);
    if (!this.state.transition(['creating'], 'running')) throw this.stoppedFault();
    this.pod = pod;
    await this.options.store.update({ state: 'running', containers: [...pod.containers] });
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
    const { console, vmmLog, shimLog } = this.options.paths;
    void boundLogs(this.options, vm, [console, vmmLog, shimLog]);
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
  private reconnect(handedOn: ReadonlyMap<string, HandedOn> | undefined): Promise<ResumedPod> {
    const { id, store } = this.options;
    const { containers } = store.current;
    if (this.vm === undefined || containers.length === 0) {
      throw new Fault('precondition', `there is nothing of sandbox ${id} to resume: its VM ended with its former shim`);
    }
    const resuming = resumePod({ ...this.options, undo: this.undo }, this.vm, containers, handedOn).then((resumed) => {
      this.pod = resumed.pod;
      return resumed;
    });
    this.resuming = resuming;
    return resuming;
  }

  /** Undefined if there is no guest to be had in this time. */
  private async reconnectToStop(timeoutMs: number): Promise<Pod | undefined> {
    const { store, log } = this.options;
    if (this.vm === undefined || store.current.containers.length === 0) return undefined;
    const resuming = this.resuming?.catch(() => this.reconnect(undefined)) ?? this.reconnect(undefined);
    const resumed = await within(timeoutMs, resuming).catch((error: unknown) => {
      log.warn('no connection to the guest', { error });
      return undefined;
    });
    if (resumed === undefined) return undefined;
    for (const container of this.containers.startAsked()) container.expectExit(resumed.pod);
    return resumed.pod;
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
    this.containers.fail(reason);
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
