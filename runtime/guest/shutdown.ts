import type { Log } from '../system/log.ts';
import { sys } from '../system/native/sys.ts';
import { sleep } from './await-found.ts';
import type { Containers } from './containers.ts';
import type { Volumes } from './volume.ts';

/** Containers that do not die by then hold their volumes, which are made read-only instead of unmounted. */
const CONTAINERS_END_WITHIN_MS = 20_000;

/** The orderly end of the guest, up to the moment when it may lose its power. */
export class Shutdown {
  /** Resolves when everything is done that can be, well or not. */
  readonly done: Promise<void>;
  private readonly containers: Containers;
  private readonly volumes: Volumes;
  private readonly log: Log;
  private running: Promise<void> | undefined;
  private finish: () => void = () => {};

  constructor(containers: Containers, volumes: Volumes, log: Log) {
    this.containers = containers;
    this.volumes = volumes;
    this.log = log;
    this.done = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  /** Fault `io` if a volume did not unmount: it is read-only and synced then. Repeated, it answers the same. */
  run(): Promise<void> {
    this.running ??= this.endEverything().finally(this.finish);
    return this.running;
  }

  private async endEverything(): Promise<void> {
    this.volumes.thawAll();
    // Soon, since a host that gives up on the containers switches the power off.
    sys.sync();
    await Promise.race([this.containers.removeAll(), sleep(CONTAINERS_END_WITHIN_MS)]);
    sys.sync();
    try {
      this.volumes.unmountAll();
    } finally {
      sys.sync();
    }
    this.log.info('shut down');
  }
}
