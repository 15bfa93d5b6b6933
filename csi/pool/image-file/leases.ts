import { readFile, writeFile } from 'node:fs/promises';
import { describeError, Fault } from '../../../proto/fault.ts';
import type { VolumeId } from '../../../proto/ids.ts';
import { decodeLease, encodeLease } from '../../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../../proto/volume-spec.ts';
import type { HostCalls, HostLock } from '../../host-calls.ts';
import type { LeaseState } from '../port.ts';

/** The leases of a pool's volumes, and what this server has taken them for. */
export class Leases {
  private readonly host: HostCalls;
  private readonly volumes: string;
  private readonly purposes = new Map<VolumeId, string>();

  constructor(host: HostCalls, volumes: string) {
    this.host = host;
    this.volumes = volumes;
  }

  /** `purpose` is what others are told, in words that follow "volume x is in use:"; undefined while another has it. */
  async take(volumeId: VolumeId, purpose: string): Promise<HostLock | undefined> {
    const lock = await this.host.tryLock(this.pathOf(volumeId));
    if (lock === undefined) return undefined;
    this.purposes.set(volumeId, purpose);
    return {
      release: () => {
        this.purposes.delete(volumeId);
        return lock.release();
      },
    };
  }

  /** As take(), for longer than the moment that a pod waits: the purpose is put into the lease, for other programs to read. */
  async takeForLong(volumeId: VolumeId, purpose: string): Promise<HostLock | undefined> {
    const lock = await this.take(volumeId, purpose);
    const text = encodeLease({ purpose, takenAtMs: Date.now() });
    // In place, as the file is the lock; where there is no space for the words there are none.
    if (lock !== undefined) await writeFile(this.pathOf(volumeId), text).catch(() => undefined);
    return lock;
  }

  async ownerOf(volumeId: VolumeId): Promise<LeaseState> {
    const purpose = this.purposes.get(volumeId);
    if (purpose !== undefined) return { kind: 'other', words: purpose };
    const path = this.pathOf(volumeId);
    const lock = await this.host.tryLock(path);
    if (lock !== undefined) {
      await lock.release();
      return { kind: 'free' };
    }
    try {
      const owner = decodeLease(await readFile(path, 'utf8'), path);
      if ('purpose' in owner) return { kind: 'other', words: owner.purpose };
      return { kind: 'vm', podUid: owner.podUid, sandboxId: owner.sandboxId };
    } catch (error) {
      const words = `its lease does not say by whom (${describeError(error)}), but lslocks shows who holds ${path}`;
      return { kind: 'other', words };
    }
  }

  /** Why a verb that needs the lease cannot have it. */
  async refusal(volumeId: VolumeId): Promise<Fault> {
    const owner = await this.ownerOf(volumeId);
    if (owner.kind === 'free')
      return new Fault('busy', `the lease of volume ${volumeId} was held a moment ago; try again`);
    if (owner.kind === 'other') {
      const message = `volume ${volumeId} is in use: ${owner.words}`;
      return new Fault('precondition', message, { fields: { volumeId } });
    }
    const { podUid, sandboxId } = owner;
    const message =
      `volume ${volumeId} is in use by the VM of pod ${podUid} (sandbox ${sandboxId}); ` +
      `end that pod first ("berth stop ${sandboxId}")`;
    return new Fault('precondition', message, { fields: { volumeId, podUid, sandboxId } });
  }

  private pathOf(volumeId: VolumeId): string {
    return `${this.volumes}/${volumeId}/${VOLUME_FILES.lease}`;
  }
}
