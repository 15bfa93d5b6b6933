import { Fault } from '../../proto/fault.ts';
import type { RunPaths } from '../../proto/paths.ts';
import { type VolumeAttachment, volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES, volumeSpecRecord } from '../../proto/volume-spec.ts';
import type { VolumeFacts } from '../plan/types.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';

export interface Published {
  readonly attachments: readonly VolumeAttachment[];
  /** Faults that name the records which cannot be read: any of them may be what is asked for. */
  readonly unreadable: readonly Fault[];
}

/** The attachments that are asked for, of these pods; undefined: whichever pod they are for. */
export async function readAttachments(
  system: System,
  run: RunPaths,
  isAsked: (attachment: VolumeAttachment) => boolean,
  podUids?: readonly string[],
): Promise<Published> {
  const attachments: VolumeAttachment[] = [];
  const unreadable: Fault[] = [];
  for (const pod of podUids ?? (await system.list(run.volumes))) {
    for (const name of await system.list(`${run.volumes}/${pod}`)) {
      if (!name.endsWith('.json')) continue;
      const path = `${run.volumes}/${pod}/${name}`;
      try {
        const attachment = await recordFile(system, volumeAttachmentRecord, path, { durable: false }).load();
        if (attachment !== undefined && isAsked(attachment)) attachments.push(attachment);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        unreadable.push(error);
      }
    }
  }
  return { attachments, unreadable };
}

/** Each attachment with the records of its volume's directory. */
export function readVolumes(system: System, attachments: readonly VolumeAttachment[]): Promise<readonly VolumeFacts[]> {
  return Promise.all(
    attachments.map(async (attachment) => {
      const file = (name: string) => `${attachment.volumeDirectory}/${name}`;
      const spec = await recordFile(system, volumeSpecRecord, file(VOLUME_FILES.spec), { durable: true }).load();
      const fsFile = recordFile(system, volumeFilesystemRecord, file(VOLUME_FILES.filesystem), { durable: true });
      const filesystem = await fsFile.load();
      if (spec === undefined) throw missing(attachment, file(VOLUME_FILES.spec));
      if (filesystem === undefined) throw missing(attachment, file(VOLUME_FILES.filesystem));
      return { attachment, spec, filesystem };
    }),
  );
}

function missing({ volumeId, targetPath }: VolumeAttachment, path: string): Fault {
  const message = `volume ${volumeId} is published at ${targetPath}, but there is no ${path}; was the volume deleted?`;
  return new Fault('precondition', message, { fields: { volumeId, path } });
}
