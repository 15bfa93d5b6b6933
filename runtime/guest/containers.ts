import { Fault } from '../../proto/fault.ts';
import { Container, type ContainerHome, type ContainerRequest } from './container.ts';

/** The pod's containers, by id. Every verb may be repeated, also while its first call still runs. */
export class Containers {
  private readonly home: ContainerHome;
  private readonly byId = new Map<string, Promise<Container>>();
  private readonly removals = new Map<string, Promise<void>>();

  constructor(home: ContainerHome) {
    this.home = home;
  }

  async create(request: ContainerRequest): Promise<void> {
    const id = parseContainerId(request.containerId);
    await this.removals.get(id);
    let creating = this.byId.get(id);
    if (creating === undefined) {
      creating = Container.create(this.home, request);
      this.byId.set(id, creating);
      creating.catch(() => this.byId.delete(id));
    }
    await creating;
  }

  /** Throws `not-found`. */
  async find(id: string): Promise<Container> {
    const container = this.byId.get(id);
    if (container === undefined) throw new Fault('not-found', `there is no container ${id}`, { fields: { id } });
    return container;
  }

  /** Content with a container that is not there. */
  async remove(id: string): Promise<void> {
    let removing = this.removals.get(id);
    if (removing === undefined && this.byId.has(id)) {
      removing = this.removeExisting(id).finally(() => this.removals.delete(id));
      this.removals.set(id, removing);
    }
    await removing;
  }

  /** Removes all, at once; what fails is logged: the VM ends anyway. */
  async removeAll(): Promise<void> {
    await Promise.all(
      [...this.byId.keys()].map((id) =>
        this.remove(id).catch((error: unknown) => this.home.log.error('container not removed', { id, error })),
      ),
    );
  }

  private async removeExisting(id: string): Promise<void> {
    await (await this.find(id)).remove();
    this.byId.delete(id);
  }
}

/** The id becomes a directory and a cgroup. */
function parseContainerId(id: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(id)) return id;
  throw new Fault('invalid', `container id ${JSON.stringify(id)} is not at most 128 letters, digits, "_", "." and "-"`);
}
