import type { AgentStorage } from '../../proto/agent.ts';
import { asFault, Fault } from '../../proto/fault.ts';
import { FILESYSTEMS, type Filesystem } from '../../proto/volume-spec.ts';
import type { Log } from '../system/log.ts';
import { ioFault } from '../system/native/errors.ts';
import { ensureDirectory } from '../system/native/file.ts';
import { sys } from '../system/native/sys.ts';
import type { System } from '../system/port.ts';
import { awaitDisk, hasZeroEnds } from './disk.ts';
import { ensureUnmounted } from './files.ts';
import { mkfsCommand, toUuid } from './filesystem.ts';
import { MS, toMountRequest } from './mount-flags.ts';
import { blkidCommand, parseSignature } from './signature.ts';
import { requireTool, runTool } from './tool.ts';

const BLKID_TIMEOUT_MS = 60_000;
/** Grows with the disk: the host's own deadline is the one that counts. */
const MKFS_TIMEOUT_MS = 280_000;

/** The pod's disks, by serial. Every verb may be repeated, also while its first call still runs. */
export class Volumes {
  private readonly system: System;
  private readonly log: Log;
  private readonly locate: (serial: string) => Promise<string>;
  private readonly formats = new Map<string, Promise<string>>();
  /** In the order of mounting. */
  private readonly mounts: { readonly serial: string; readonly mountPoint: string }[] = [];

  /** `locate` answers the device node of a serial. */
  constructor(system: System, log: Log, locate: (serial: string) => Promise<string> = awaitDisk) {
    this.system = system;
    this.log = log;
    this.locate = locate;
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
  format(request: { serial: string; fsType: string; resume: boolean }): Promise<string> {
    const known = this.formats.get(request.serial);
    if (known !== undefined) return known;
    const formatting = this.makeFilesystem(request);
    this.formats.set(request.serial, formatting);
    formatting.catch(() => this.formats.delete(request.serial));
    return formatting;
  }

  /** Mounts the file system of a disk; answers its capacity. */
  async mount({ serial, fsType, mountPoint, options, readOnly }: AgentStorage): Promise<{ capacityBytes: number }> {
    const device = await this.locate(serial);
    ensureDirectory(mountPoint, 0o755);
    if (!isMountedAt(device, mountPoint)) {
      const { flags, data } = toMountRequest(options, readOnly);
      try {
        sys.mount(device, mountPoint, parseFilesystem(fsType), flags, data === '' ? null : data);
      } catch (error) {
        throw asFault(error, 'io', `the ${fsType} of disk ${serial} does not mount at ${mountPoint}`, {
          serial,
          device,
        });
      }
      this.mounts.push({ serial, mountPoint });
      this.log.info('volume mounted', { serial, device, mountPoint, readOnly });
    }
    const { blockSize, blocks } = sys.statvfs(mountPoint);
    return { capacityBytes: blockSize * blocks };
  }

  /**
   * Unmounts all, the last first. What does not let go is made read-only, so that it is whole all the same, and named in
   * the Fault.
   */
  unmountAll(): void {
    const stuck: unknown[] = [];
    for (const { mountPoint } of this.mounts.splice(0).reverse()) {
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

  /** As far as it can be: whatever this one answers, the others are still to be unmounted. */
  private ensureReadOnly(mountPoint: string): void {
    try {
      sys.mount(null, mountPoint, null, MS.REMOUNT | MS.RDONLY, null);
    } catch (error) {
      this.log.error('volume does not become read-only', { mountPoint, error });
    }
  }

  private async makeFilesystem(request: { serial: string; fsType: string; resume: boolean }): Promise<string> {
    const { serial, resume } = request;
    const fsType = parseFilesystem(request.fsType);
    if (this.mounts.some((mount) => mount.serial === serial)) {
      throw new Fault('precondition', `the disk ${serial} is mounted; berth does not format it`, {
        fields: { serial },
      });
    }
    const device = await this.locate(serial);
    if (!resume) await this.checkBlank(serial);
    const uuid = toUuid(sys.getrandom(16));
    await requireTool(this.system, mkfsCommand(fsType, device, uuid, resume), MKFS_TIMEOUT_MS);
    this.log.info('volume formatted', { serial, device, fsType, uuid });
    return uuid;
  }
}

function parseFilesystem(fsType: string): Filesystem {
  const known = FILESYSTEMS.find((name) => name === fsType);
  if (known !== undefined) return known;
  throw new Fault(
    'invalid',
    `the guest knows no file system ${JSON.stringify(fsType)}; it knows ${FILESYSTEMS.join(', ')}`,
  );
}

/** The device number of what lies at a mount point is that of the disk: no mount table need be read. */
function isMountedAt(device: string, mountPoint: string): boolean {
  return sys.stat(mountPoint)?.dev === sys.stat(device)?.rdev;
}
