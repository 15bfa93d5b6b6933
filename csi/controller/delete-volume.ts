import { Fault } from '../../proto/fault.ts';
import { describePod } from '../../proto/volume-attachment.ts';
import type { DeleteVolumeRequest, Empty } from '../messages.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import type { ControllerContext } from './context.ts';

/** CSI 1.12, DeleteVolume: the one verb after which data are gone. A volume that is not there is OK. */
export function deleteVolume(request: DeleteVolumeRequest, context: ControllerContext): Call<Empty> {
  const { volumes, conditions } = context;
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  return {
    locks: [volumeId],
    fields: { volumeId },
    async run({ log }) {
      const location = volumes.locate(volumeId);
      // Not OK: whoever is told so believes that the data are gone.
      if (location.kind === 'elsewhere') throw new Fault('precondition', location.reason, { fields: { volumeId } });
      if (location.kind === 'nowhere') return {};
      await requireUnpublished(volumeId, context);
      if (await location.pool.remove(location.volumeId, log)) log.info('volume deleted');
      conditions.forget(location.volumeId);
      return {};
    },
  };
}

async function requireUnpublished(volumeId: string, { attachments, publications }: ControllerContext): Promise<void> {
  const attached = publications?.find(volumeId);
  if (attached !== undefined) {
    const message = `volume ${volumeId} is published to node ${attached.nodeId}; ControllerUnpublishVolume comes first`;
    throw new Fault('precondition', message, { fields: { volumeId, nodeId: attached.nodeId } });
  }
  const [published] = await attachments.ofVolume(volumeId);
  if (published === undefined) return;
  const { podUid, targetPath } = published;
  const message = `volume ${volumeId} is published for ${describePod(podUid)} at ${targetPath}; unpublish it first`;
  throw new Fault('precondition', message, { fields: { volumeId, podUid, targetPath } });
}
