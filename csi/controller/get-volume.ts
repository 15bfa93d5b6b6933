import type { ControllerGetVolumeRequest, ControllerGetVolumeResponse } from '../messages.ts';
import { parseText } from '../validate.ts';
import type { Call } from '../verb.ts';
import type { ControllerContext } from './context.ts';
import { toVolumeMessage, toVolumeStatus } from './volume-message.ts';

/** CSI 1.12, ControllerGetVolume. */
export function controllerGetVolume(
  request: ControllerGetVolumeRequest,
  context: ControllerContext,
): Call<ControllerGetVolumeResponse> {
  const volumeId = parseText(request.volume_id, 'volume_id');
  return {
    fields: { volumeId },
    async run() {
      const found = context.volumes.require(volumeId);
      const problem = await context.conditions.problemOf(found);
      return { volume: toVolumeMessage(found.spec, context.nodeId), status: toVolumeStatus(found, problem, context) };
    },
  };
}
