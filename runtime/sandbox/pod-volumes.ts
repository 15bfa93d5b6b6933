import type { AgentUsage } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import type { Sandbox as SandboxRecord } from '../../proto/sandbox-record.ts';
import type { ShimMethods } from '../../proto/shim.ts';
import type { ReplyOf } from '../../proto/ttrpc.ts';
import type { VolumeLimits } from '../../proto/volume-class.ts';
import type { Agent } from '../guest-client/control.ts';
import { diskId } from '../plan/disk-id.ts';
import type { Vm } from '../vmm/port.ts';
import type { DiskWatch } from './disk-watch.ts';

type PodVolume = SandboxRecord['volumes'][number];
type Measured = ReplyOf<ShimMethods['measureVolume']>;
type Grown = ReplyOf<ShimMethods['growVolume']>;

/** Of a running pod. */
export interface PodParts {
  readonly volumes: SandboxRecord['volumes'];
  readonly vm: Vm;
  readonly agent: Agent;
  readonly watch: DiskWatch;
}

/** What can be done with the volumes of a pod while it runs (proto/shim.ts): the VMM's part first, then the guest's. */
export class PodVolumes {
  private readonly parts: () => PodParts;
  private readonly lastUsage = new Map<string, AgentUsage>();

  /** `parts` throws when there is no pod to be asked. */
  constructor(parts: () => PodParts) {
    this.parts = parts;
  }

  /** A guest that stands still cannot be asked: then it is what it said last, and why. */
  async measure(volumeId: string): Promise<Measured> {
    const { vm, agent, watch } = this.parts();
    const { serial, volumeMode, readOnly } = this.find(volumeId);
    const id = diskId(serial);
    const deviceBytes = (await vm.disks()).find((disk) => disk.id === id)?.sizeBytes ?? 0;
    if (volumeMode === 'Filesystem' && !watch.isStopped) {
      this.lastUsage.set(volumeId, await agent.call('measureVolume', { serial }));
    }
    const usage = this.lastUsage.get(volumeId);
    const isBroken = usage?.isReadOnly === true && !readOnly;
    return {
      deviceBytes,
      capacityBytes: usage?.capacityBytes ?? 0,
      availableBytes: usage?.availableBytes ?? 0,
      usedBytes: usage?.usedBytes ?? 0,
      inodes: usage?.inodes ?? 0,
      inodesFree: usage?.inodesFree ?? 0,
      problem: watch.problemOf(id) ?? (isBroken ? BROKEN : ''),
    };
  }

  async grow(volumeId: string, sizeBytes: number): Promise<Grown> {
    const { vm, agent } = this.answering();
    const { serial } = this.find(volumeId);
    await vm.resizeDisk(diskId(serial), sizeBytes);
    return agent.call('growVolume', { serial, sizeBytes });
  }

  async freeze(volumeIds: readonly string[], timeoutMs: number): Promise<void> {
    const serials = this.findAll(volumeIds).filter(isMountedWritable).map(toSerial);
    if (serials.length > 0) await this.answering().agent.call('freezeVolumes', { serials, timeoutMs });
  }

  /** Whether all of them stood still from the freeze until now: a raw disk that can be written never does. */
  async thaw(volumeIds: readonly string[]): Promise<boolean> {
    const volumes = this.findAll(volumeIds);
    const serials = volumes.filter(isMountedWritable).map(toSerial);
    const hasRaw = volumes.some(({ volumeMode, readOnly }) => volumeMode === 'Block' && !readOnly);
    if (serials.length === 0) return !hasRaw;
    const { wasHeld } = await this.answering().agent.call('thawVolumes', { serials });
    return wasHeld && !hasRaw;
  }

  async throttle(volumeId: string, limits: VolumeLimits): Promise<void> {
    const { vm } = this.parts();
    await vm.throttleDisk(diskId(this.find(volumeId).serial), limits);
  }

  async trim(volumeId: string): Promise<number> {
    const { agent } = this.answering();
    const { trimmedBytes } = await agent.call('trimVolume', { serial: this.find(volumeId).serial });
    return trimmedBytes;
  }

  private findAll(volumeIds: readonly string[]): readonly PodVolume[] {
    return volumeIds.map((volumeId) => this.find(volumeId));
  }

  private find(volumeId: string): PodVolume {
    const volume = this.parts().volumes.find((one) => one.volumeId === volumeId);
    if (volume !== undefined) return volume;
    throw new Fault('not-found', `the pod's VM does not have volume ${volumeId}`, { fields: { volumeId } });
  }

  private answering(): PodParts {
    const parts = this.parts();
    if (!parts.watch.isStopped) return parts;
    throw new Fault('busy', 'the VM waits for space in the pool, and its guest answers nobody; try again');
  }
}

const BROKEN =
  'the file system is read-only: the guest found an error in it; stop the pod and run "berth volume fsck" on the volume';

const isMountedWritable = ({ volumeMode, readOnly }: PodVolume): boolean => volumeMode === 'Filesystem' && !readOnly;
const toSerial = ({ serial }: PodVolume): string => serial;
