import { Fault } from '../../proto/fault.ts';
import { invalid, parseCapability, parseCapacityRange, parseText } from '../validate.ts';
import type { Call } from '../verb.ts';
import { askOwner } from '../volume-owner.ts';
import type { FoundVolume } from '../volumes.ts';
import type { NodeContext } from './context.ts';
import type { NodeExpandVolumeRequest, NodeExpandVolumeResponse } from './messages.ts';

/**
 * CSI 1.12, NodeExpandVolume: tells the VM that the disk has grown, and the guest to grow what is on it. Without a VM
 * there is nothing to do, as a guest grows a file system that is smaller than its disk whenever it mounts it. Never
 * FAILED_PRECONDITION, after which kubelet does not try again.
 */
export function nodeExpandVolume(
  request: NodeExpandVolumeRequest,
  { volumes, shims }: NodeContext,
): Call<NodeExpandVolumeResponse> {
  const volumeId = parseText(request.volume_id, 'volume_id');
  // Nothing is looked for there: the volume is found by its id, so that one that is not there is NOT_FOUND.
  const path = request.volume_path;
  if (path === '') throw invalid('volume_path', 'is required');
  const range = parseCapacityRange(request.capacity_range, 'capacity_range');
  if (request.volume_capability !== null) parseCapability(request.volume_capability, 'volume_capability');
  return {
    locks: [volumeId],
    fields: { volumeId, path, requiredBytes: String(range.requiredBytes) },
    async run({ log }) {
      const found = volumes.require(volumeId);
      const { capacityBytes } = found.spec;
      if (range.requiredBytes > BigInt(capacityBytes)) {
        const message = `volume ${volumeId} has ${capacityBytes} bytes, not ${range.requiredBytes}: expand it first`;
        throw new Fault('out-of-range', message, { fields: { volumeId, field: 'capacity_range' } });
      }
      const grown = await grow(found, shims);
      if (grown !== undefined) log.info('volume grown in the guest', grown);
      return { capacity_bytes: String(capacityBytes) };
    },
  };
}

async function grow(
  found: FoundVolume,
  shims: NodeContext['shims'],
): Promise<{ deviceBytes: number; capacityBytes: number } | undefined> {
  const { volumeId, capacityBytes } = found.spec;
  try {
    const grown = await askOwner(found, shims, (shim) =>
      shim.call('growVolume', { volumeId, sizeBytes: capacityBytes }),
    );
    if (grown === undefined && (await found.pool.ownerOf(volumeId)).kind === 'vm') {
      throw new Fault('busy', `the VM that has volume ${volumeId} cannot be told of its size now; try again`);
    }
    return grown;
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'precondition') throw cause;
    throw new Fault('io', `the guest could not grow volume ${volumeId}`, { fields: { volumeId }, cause });
  }
}
