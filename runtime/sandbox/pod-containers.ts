import { Fault } from '../../proto/fault.ts';
import type { SandboxId } from '../../proto/ids.ts';
import { type ContainerGuest, PodContainer, type PodContainerOptions } from './pod-container.ts';
import type { SandboxStore } from './store.ts';

interface PodContainersOptions extends Omit<PodContainerOptions, 'id'> {
  readonly sandboxId: SandboxId;
  readonly store: SandboxStore;
}

/** The containers of a pod, by id. */
export class PodContainers {
  private readonly options: PodContainersOptions;
  private readonly byId = new Map<string, PodContainer>();

  constructor(options: PodContainersOptions) {
    this.options = options;
  }

  /** The main container first; none before declare(). */
  get all(): readonly PodContainer[] {
    return [...this.byId.values()];
  }

  /** They are to be, or are there. */
  declare(containers: readonly { readonly id: string }[]): void {
    for (const { id } of containers) this.byId.set(id, new PodContainer({ ...this.options, id }));
  }

  /** An empty id is the main container's. Throws `not-found`. */
  find(containerId: string): PodContainer {
    const container = containerId === '' ? this.all[0] : this.byId.get(containerId);
    if (container !== undefined) return container;
    const what = containerId === '' ? 'container' : `container ${containerId}`;
    throw new Fault('not-found', `sandbox ${this.options.sandboxId} has no ${what}`, { fields: { containerId } });
  }

  async start(containerId: string, guest: ContainerGuest): Promise<void> {
    const { store } = this.options;
    const container = this.find(containerId);
    const { containers } = store.current;
    // First, so that a shim that takes our place knows that the container may run.
    if (containers.some(({ id, isStartAsked }) => id === container.id && !isStartAsked)) {
      const asked = containers.map((one) => (one.id === container.id ? { ...one, isStartAsked: true } : one));
      await store.update({ containers: asked });
    }
    await container.start(guest);
  }

  /** Those that may run, by the record. */
  startAsked(): readonly PodContainer[] {
    const asked = this.options.store.current.containers.filter(({ isStartAsked }) => isStartAsked);
    return asked.map(({ id }) => this.find(id));
  }

  /** Nobody will learn any more how they end. */
  fail(reason: Fault): void {
    for (const { exit } of this.all) exit.reject(reason);
  }
}
