import { planGrowth } from '../capacity.ts';
import type { ControllerExpandVolumeRequest, ControllerExpandVolumeResponse } from '../messages.ts';
import { requireGrowable } from '../parameters.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import type { ControllerContext } from './context.ts';

/**
 * CSI 1.12, ControllerExpandVolume: the disk is larger when this answers, in use or not. What is on it grows in the
 * guest, which NodeExpandVolume sees to; that is asked for again by every repetition.
 */
export function controllerExpandVolume(
  request: ControllerExpandVolumeRequest,
  { volumes }: ControllerContext,
): Call<ControllerExpandVolumeResponse> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  if (request.capacity_range === null) throw validate.invalid('capacity_range', 'is required');
  const range = validate.parseCapacityRange(request.capacity_range, 'capacity_range');
  if (request.volume_capability !== null) validate.parseCapability(request.volume_capability, 'volume_capability');
  return {
    locks: [volumeId],
    fields: { volumeId, requiredBytes: String(range.requiredBytes) },
    async run({ log }) {
      const { pool, spec } = volumes.require(volumeId);
      const capacityBytes = planGrowth(range, spec.capacityBytes);
      if (capacityBytes > spec.capacityBytes) {
        requireGrowable(spec.class, 'capacity_range');
        await pool.grow(spec.volumeId, capacityBytes);
        log.info('volume grown', { fromBytes: spec.capacityBytes, toBytes: capacityBytes });
      }
      return { capacity_bytes: String(capacityBytes), node_expansion_required: true };
    },
  };
}
