import { Fault } from '../../proto/fault.ts';
import type { ControllerModifyVolumeRequest, Empty } from '../messages.ts';
import { parseMutableParameters, requireLimitable } from '../parameters.ts';
import { parseText } from '../validate.ts';
import type { Call } from '../verb.ts';
import { askOwner } from '../volume-owner.ts';
import type { FoundVolume } from '../volumes.ts';
import type { ControllerContext } from './context.ts';

/**
 * CSI 1.12, ControllerModifyVolume: limits, first in the record and then in the VM that has the volume. What the request
 * does not speak of stays. A repetition finds the record right, and tells the VM again.
 */
export function controllerModifyVolume(
  request: ControllerModifyVolumeRequest,
  context: ControllerContext,
): Call<Empty> {
  const { volumes, shims } = context;
  const volumeId = parseText(request.volume_id, 'volume_id');
  const wanted = parseMutableParameters(request.mutable_parameters, 'mutable_parameters');
  return {
    locks: [volumeId],
    fields: { volumeId, ...wanted },
    async run({ log }) {
      const { pool, spec } = volumes.require(volumeId);
      if (Object.keys(wanted).length > 0) requireLimitable(spec.class, 'mutable_parameters');
      const modified = { ...spec, limits: { ...spec.limits, ...wanted } };
      if (modified.limits.iops !== spec.limits.iops || modified.limits.bandwidthBytes !== spec.limits.bandwidthBytes) {
        await pool.update(modified);
        log.info('volume modified', modified.limits);
      }
      await throttle({ pool, spec: modified }, shims);
      return {};
    },
  };
}

async function throttle(volume: FoundVolume, shims: ControllerContext['shims']): Promise<void> {
  const { volumeId, limits } = volume.spec;
  const told = await askOwner(volume, shims, (shim) => shim.call('throttleVolume', { volumeId, ...limits }));
  if (told !== undefined) return;
  const owner = await volume.pool.ownerOf(volumeId);
  if (owner.kind !== 'vm') return; // the next VM begins with what the record says
  // It begins, and may have read the record before it was changed; or it ends, or has lost its shim, and is gone soon.
  const message = `the VM of pod ${owner.podUid} has volume ${volumeId}, but cannot be told of its limits now; try again`;
  throw new Fault('busy', message, { fields: { volumeId, podUid: owner.podUid } });
}
