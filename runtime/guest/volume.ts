import type { AgentStorage, AgentUsage } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import type { Filesystem } from '../../proto/volume-spec.ts';
import type { Log } from '../system/log.ts';
import { ioFault } from '../system/native/errors.ts';
import { sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { withUndo } from '../system/undo.ts';
import { awaitFound } from './await-found.ts';
import { type CheckResult, checkFilesystem } from './check-volume.ts';
import { awaitDisk, diskBytes, hasZeroEnds, readDeviceNumber } from './disk.ts';
import { ensureUnmounted } from './files.ts';
import { mkfsCommand, parseFilesystem, toUuid } from './filesystem.ts';
import { Freezer, frozenFault } from './freezer.ts';
import { MS } from './mount-flags.ts';
import { grow, mountVolume } from './mount-volume.ts';
import { blkidCommand, parseSignature } from './signature.ts';
import { requireTool, runTool } from './tool.ts';
import { parseTrimmedBytes } from './trim.ts';
import { measureUsage } from './usage.ts';

const BLKID_TIMEOUT_MS = 60_000;
/** Grow with the disk: the host's own deadline is the one that counts. */
const MKFS_TIMEOUT_MS = 280_000;
const TRIM_TIMEOUT_MS = 280_000;
/** From the VMM's word that a disk is larger to the guest's driver. */
const GROWN_WITHIN_MS = 10_000;

export interface VolumesContext {
  readonly system: System;
  readonly log: Log;
  /** The device node of a serial. */
  readonly locate?: (serial: string) => Promise<string>;
  /** How this program is started for a verb of its own. */
  readonly program?: readonly string[];
}

export interface FormatRequest {
  readonly serial: string;
  readonly fsType: string;
  readonly resume: boolean;
  readonly mkfsOptions: readonly string[];
}

interface MountedVolume {
  readonly device: string;
  readonly fsType: Filesystem;
  readonly mountPoint: string;
  readonly readOnly: boolean;
}

/** The pod's disks, by serial. Every verb may be repeated, also while its first call still runs. */
export class Volumes {
  private readonly system: System;
  private readonly log: Log;
  private readonly locate: (serial: string) => Promise<string>;
  private readonly program: readonly string[];
  private readonly freezer: Freezer;
  private readonly formats = new Map<string, Promise<string>>();
  private readonly checks = new Map<string, Promise<CheckResult>>();
  private readonly mounting = new Map<string, Promise<void>>();
  private readonly mounted = new Map<string, MountedVolume>();
  /** Where something is mounted or about to be, in that order. */
  private readonly mountPoints = new Set<string>();

  constructor({ system, log, locate = awaitDisk, program = ['/proc/self/exe'] }: VolumesContext) {
    this.system = system;
    this.log = log;
    this.locate = locate;
    this.program = program;
    this.freezer = new Freezer(system, log);
  }

  /** Throws `precondition` naming what the device carries. */
  async checkBlank(serial: string): Promise<void> {
    const device = await this.locate(serial);
    const isZero = hasZeroEnds(device);
    const known = parseSignature(device, await runTool(this.system, blkidCommand(device), BLKID_TIMEOUT_MS));
    if (known === undefined && isZero) return;
    const signature = known ?? 'data of a kind that blkid does not know';
    throw new Fault(
      'precondition',
      `the disk ${serial} is not blank: it carries ${signature}; berth does not format it`,
      {
        fields: { serial, device, signature },
      },
    );
  }

  /**
   * mkfs; answers the UUID. A repeated call answers that of the first one: what this agent has formatted, it does not
   * format again, for it may be mounted and written to.
   */
  format(request: FormatRequest): Promise<string> {
    return once(this.formats, request.serial, () => this.makeFilesystem(request));
  }

  /** Mounts the file system of a disk, as mountVolume says. */
  async mount(storage: AgentStorage): Promise<AgentUsage> {
    await once(this.mounting, storage.serial, () => this.makeMounted(storage));
    return this.measure(storage.serial);
  }

  /** Where the file system of a disk is mounted, to be used at once; a write to a frozen one would wait for its thaw. */
  rootOf(serial: string): { readonly root: string; readonly isFrozen: boolean } {
    const { mountPoint } = this.find(serial);
    return { root: mountPoint, isFrozen: this.freezer.isFrozen(mountPoint) };
  }

  /** The number of a disk's device node. */
  async deviceNumber(serial: string): Promise<{ major: number; minor: number }> {
    return readDeviceNumber(await this.locate(serial));
  }

  measure(serial: string): AgentUsage {
    return measureUsage(serial, this.find(serial));
  }

  /** Waits until the disk has the size, and grows what is mounted writable; `capacityBytes` is 0 if nothing is mounted. */
  async grow(serial: string, sizeBytes: number): Promise<{ deviceBytes: number; capacityBytes: number }> {
    const device = await this.locate(serial);
    const deviceBytes = await awaitFound(`a size of ${sizeBytes} bytes of disk ${serial}`, GROWN_WITHIN_MS, () => {
      const bytes = diskBytes(device);
      return bytes >= sizeBytes ? bytes : undefined;
    });
    await this.mounting.get(serial)?.catch(() => {});
    const volume = this.mounted.get(serial);
    if (volume === undefined) return { deviceBytes, capacityBytes: 0 };
    if (!volume.readOnly) {
      this.refuseFrozen(serial, volume);
      await grow(this.system, volume);
      this.log.info('volume grown', { serial, deviceBytes });
    }
    return { deviceBytes, capacityBytes: this.measure(serial).capacityBytes };
  }

  /** Freezes all or none; they thaw by themselves after `timeoutMs`. */
  async freeze(serials: readonly string[], timeoutMs: number): Promise<void> {
    if (timeoutMs <= 0) throw new Fault('invalid', 'a freeze needs a time after which it ends');
    await this.freezer.freeze(
      serials.map((serial) => this.find(serial).mountPoint),
      timeoutMs,
    );
  }

  /** True if all of them were frozen until now; whatever holds for one, the others are thawed. */
  thaw(serials: readonly string[]): boolean {
    const volumes = serials.map((serial) => this.mounted.get(serial));
    const held = volumes.map((volume) => volume !== undefined && this.freezer.thaw(volume.mountPoint));
    return held.every(Boolean);
  }

  /** Tells the disk which blocks are free; answers how many bytes that were. */
  async trim(serial: string): Promise<number> {
    const { mountPoint } = this.refuseFrozen(serial, this.find(serial));
    return parseTrimmedBytes(serial, await runTool(this.system, ['fstrim', '--verbose', mountPoint], TRIM_TIMEOUT_MS));
  }

  /** fsck of a volume that is not mounted. A call that comes while another runs answers as that one. */
  check(serial: string, fsType: string, repair: string): Promise<CheckResult> {
    return once(this.checks, `${serial} ${repair}`, async () => {
      this.refuseMounted(serial, 'check');
      const device = await this.locate(serial);
      return checkFilesystem(this.system, { fsType: parseFilesystem(fsType), device, repair });
    }).finally(() => this.checks.delete(`${serial} ${repair}`));
  }

  /**
   * Unmounts all, the last first. What does not let go is made read-only, so that it is whole all the same, and named in
   * the Fault.
   */
  unmountAll(): void {
    const stuck: unknown[] = [];
    const mountPoints = [...this.mountPoints].reverse();
    for (const state of [this.mountPoints, this.mounted, this.mounting]) state.clear();
    for (const mountPoint of mountPoints) {
      try {
        ensureUnmounted(mountPoint);
      } catch (error) {
        this.log.error('volume does not unmount', { mountPoint, error });
        stuck.push(ioFault(error, mountPoint));
        this.ensureReadOnly(mountPoint);
      }
    }
    if (stuck.length === 0) return;
    throw new Fault('io', `${stuck.length} volumes did not unmount`, { cause: new AggregateError(stuck) });
  }

  /** Before anything else at the end: what is frozen can neither be synced nor let its writers die. */
  thawAll(): void {
    this.freezer.thawAll();
  }

  /** As far as it can be: whatever this one answers, the others are still to be unmounted. */
  private ensureReadOnly(mountPoint: string): void {
    try {
      sys.mount(null, mountPoint, null, MS.REMOUNT | MS.RDONLY, null);
    } catch (error) {
      this.log.error('volume does not become read-only', { mountPoint, error });
    }
  }

  private async makeFilesystem({ serial, resume, ...request }: FormatRequest): Promise<string> {
    const fsType = parseFilesystem(request.fsType);
    this.refuseMounted(serial, 'format');
    const device = await this.locate(serial);
    if (!resume) await this.checkBlank(serial);
    const uuid = toUuid(sys.getrandom(16));
    const command = mkfsCommand({ fsType, device, uuid, overwrite: resume, options: request.mkfsOptions });
    await requireTool(this.system, command, MKFS_TIMEOUT_MS);
    this.log.info('volume formatted', { serial, device, fsType, uuid });
    return uuid;
  }

  private async makeMounted(storage: AgentStorage): Promise<void> {
    const { serial, mountPoint, readOnly } = storage;
    const fsType = parseFilesystem(storage.fsType);
    const device = await this.locate(serial);
    await withUndo(this.log, async (undo) => {
      undo.defer(`volume ${serial}`, () => {
        this.mountPoints.delete(mountPoint);
      });
      this.mountPoints.add(mountPoint);
      const giveToGroup = (path: string, gid: number) => this.giveToGroup(path, gid);
      const context = { system: this.system, log: this.log, giveToGroup };
      await mountVolume(context, { ...storage, fsType, device, isNew: this.formats.has(serial) }, undo);
      this.mounted.set(serial, { device, fsType, mountPoint, readOnly });
    });
    this.log.info('volume mounted', { serial, device, mountPoint, readOnly });
  }

  private async giveToGroup(path: string, gid: number): Promise<void> {
    await requireTool(this.system, [...this.program, 'give-to-group', path, String(gid)]);
  }

  private find(serial: string): MountedVolume {
    const volume = this.mounted.get(serial);
    if (volume !== undefined) return volume;
    throw new Fault('precondition', `the disk ${serial} is not mounted in this guest`, { fields: { serial } });
  }

  private refuseFrozen(serial: string, volume: MountedVolume): MountedVolume {
    if (!this.freezer.isFrozen(volume.mountPoint)) return volume;
    throw frozenFault(serial);
  }

  private refuseMounted(serial: string, verb: string): void {
    if (!this.mounting.has(serial)) return;
    throw new Fault('precondition', `the disk ${serial} is mounted; berth does not ${verb} it`, { fields: { serial } });
  }
}

/** The first call's promise for every later one, until it fails. */
function once<T>(known: Map<string, Promise<T>>, key: string, begin: () => Promise<T>): Promise<T> {
  const running = known.get(key);
  if (running !== undefined) return running;
  const begun = begin();
  known.set(key, begun);
  begun.catch(() => known.delete(key));
  return begun;
}
