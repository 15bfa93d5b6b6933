import { Fault } from '../../proto/fault.ts';
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
 * Makes the volume usable in the guest: formats it if no guest ever mounted it, and mounts it. `lease` is held until
 * this has ended, by this process: what it records must not come after a next owner's records.
 *
 * The guest mounts only when `formatted` is durable, so the record `formatting` proves that there are no user data; and
 * `formatting` is recorded only for a device found blank, so it proves that there is nothing foreign either.
 */
export async function prepareVolume(
  host: SandboxHost,
  agent: Agent,
  { facts, storage }: VolumePlan,
  lease: HeldLease,
): Promise<PreparedVolume> {
  const { volumeId } = facts.spec;
  const path = `${facts.attachment.volumeDirectory}/${VOLUME_FILES.filesystem}`;
  // Read again: what the planner saw was read before the lease was ours, and may be the past.
  const record = await recordFile(host.system, volumeFilesystemRecord, path, { durable: true }).load();
  if (record === undefined) throw new Fault('precondition', `volume ${volumeId}: there is no ${path} any more`);
  try {
    if (record.state === 'never' || record.state === 'formatting')
      await format(host, agent, { path, storage, lease, state: record.state });
    await agent.call('mountVolume', storage);
    failpoint('volume.mounted');
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.code, `volume ${volumeId}: ${error.message}`, {
      fields: { ...error.fields, volumeId },
      cause: error.cause,
    });
  }
  return { wasFormatted: record.state === 'never' || record.state === 'formatting' };
}

interface Formatting {
  readonly path: string;
  readonly storage: VolumePlan['storage'];
  readonly lease: HeldLease;
  readonly state: 'never' | 'formatting';
}

async function format(host: SandboxHost, agent: Agent, { path, storage, lease, state }: Formatting): Promise<void> {
  const { serial, fsType } = storage;
  const save = async (record: VolumeFilesystem): Promise<void> => {
    await host.writeDurable(path, new TextEncoder().encode(volumeFilesystemRecord.encode(record)), 0o600, lease);
    failpoint('filesystem.recorded');
  };
  if (state === 'never') {
    await agent.call('checkBlank', { serial });
    await save({ state: 'formatting' });
  }
  const { uuid } = await agent.call('formatVolume', { serial, fsType, resume: state === 'formatting' });
  failpoint('volume.formatted');
  await save({ state: 'formatted', uuid, formattedAtMs: Date.now() });
}
