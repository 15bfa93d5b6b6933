import { Fault, faultIn } from '../../proto/fault.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { Agent } from '../guest-client/control.ts';
import type { VolumePlan } from '../plan/types.ts';
import { failpoint } from '../system/failpoint.ts';
import { recordFile } from '../system/record-file.ts';
import type { HeldLease, SandboxHost } from './host.ts';

export interface PreparedVolume {
  /** Whether mkfs ran. */
  readonly wasFormatted: boolean;
}

/**
 * Makes the volume usable in the guest: formats it if no guest ever mounted it, and mounts it; or, as a block device,
 * records that a guest has it. `lease` is held until this has ended, by this process: what it records must not come after
 * a next owner's records.
 *
 * The guest mounts only when `formatted` is durable, so the record `formatting` proves that there are no user data; and
 * `formatting` is recorded only for a device found blank, so it proves that there is nothing foreign either. A container
 * gets a device only when `raw` is durable, so that nothing is formatted that it may have written.
 */
export async function prepareVolume(
  host: SandboxHost,
  agent: Agent,
  volume: VolumePlan,
  lease: HeldLease,
): Promise<PreparedVolume> {
  const { volumeId } = volume.facts.spec;
  const path = `${volume.facts.attachment.volumeDirectory}/${VOLUME_FILES.filesystem}`;
  // Read again: what the planner saw was read before the lease was ours, and may be the past.
  const found = await recordFile(host.system, volumeFilesystemRecord, path, { durable: true }).load();
  if (found === undefined) throw new Fault('precondition', `volume ${volumeId}: there is no ${path} any more`);
  const record = new FilesystemRecord(host, path, lease, found);
  const isBlank = found.state === 'never' || found.state === 'formatting';
  try {
    if (volume.storage === undefined) {
      // A disk that the guest cannot write stays what it is.
      if (isBlank && !volume.readOnly) await record.save({ state: 'raw' });
      return { wasFormatted: false };
    }
    if (isBlank) await format(agent, volume, record);
    await mount(agent, volume.storage, record);
    return { wasFormatted: isBlank };
  } catch (error) {
    throw faultIn(`volume ${volumeId}`, error, { volumeId });
  }
}

/** `fs.json`, of which this process is the only writer as long as it has the lease to itself. */
class FilesystemRecord {
  current: VolumeFilesystem;
  private readonly host: SandboxHost;
  private readonly path: string;
  private readonly lease: HeldLease;

  constructor(host: SandboxHost, path: string, lease: HeldLease, found: VolumeFilesystem) {
    this.host = host;
    this.path = path;
    this.lease = lease;
    this.current = found;
  }

  async save(record: VolumeFilesystem): Promise<void> {
    const content = new TextEncoder().encode(volumeFilesystemRecord.encode(record));
    await this.host.writeDurable(this.path, content, 0o600, this.lease);
    this.current = record;
    failpoint('filesystem.recorded');
  }
}

async function format(agent: Agent, { facts }: VolumePlan, record: FilesystemRecord): Promise<void> {
  const { serial, fsType, class: wanted } = facts.spec;
  const resume = record.current.state === 'formatting';
  if (!resume) {
    await agent.call('checkBlank', { serial });
    await record.save({ state: 'formatting' });
  }
  const { uuid } = await agent.call('formatVolume', { serial, fsType, resume, mkfsOptions: wanted.mkfsOptions });
  failpoint('volume.formatted');
  await record.save({ state: 'formatted', uuid: checkUuid(uuid), formattedAtMs: Date.now() });
}

/** The guest's word is the proof that the volume is never formatted again: it must be one that mkfs can have come to. */
function checkUuid(uuid: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return uuid;
  throw new Fault('malformed', 'the guest says that it has formatted the disk, but gives no UUID of a file system');
}

/** What keeps a file system from being used is recorded, for whoever asks when no guest answers any more. */
async function mount(
  agent: Agent,
  storage: NonNullable<VolumePlan['storage']>,
  record: FilesystemRecord,
): Promise<void> {
  // A lease that is shared lets nobody write.
  const note = async (problem: string | undefined): Promise<void> => {
    const { problem: known, ...others } = record.current;
    if (storage.readOnly || known === problem) return;
    await record.save(problem === undefined ? others : { ...others, problem });
  };
  try {
    await agent.call('mountVolume', storage);
    failpoint('volume.mounted');
  } catch (error) {
    // A guest that is gone, or silent, has said nothing of the file system.
    const isGone = (await Promise.race([agent.closed, undefined])) !== undefined;
    if (error instanceof Fault && error.code !== 'timeout' && !isGone) await note(toStoredText(error.message));
    throw error;
  }
  await note(undefined);
}

/** A guest says as much as it likes, and what it says is kept in the pool. */
const LONGEST_PROBLEM = 1_000;
const toStoredText = (text: string): string => text.slice(0, LONGEST_PROBLEM).replace(/\p{Cs}/gu, '\ufffd');
