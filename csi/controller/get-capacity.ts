import { minimumBytes } from '../capacity.ts';
import type { GetCapacityRequest, GetCapacityResponse } from '../messages.ts';
import { agreedFilesystem, parseParameters } from '../parameters.ts';
import { isOnNode } from '../topology.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import { choosePool } from './choose-pool.ts';
import type { ControllerContext } from './context.ts';

const toResponse = (availableBytes: number, maximumBytes: number, minimum: bigint): GetCapacityResponse => ({
  available_capacity: String(availableBytes),
  maximum_volume_size: { value: String(maximumBytes) },
  minimum_volume_size: { value: String(minimum) },
});

/**
 * CSI 1.12, GetCapacity: of the pool that a class with these parameters would use. Nothing for another node, for a pool
 * that this node has not, and for capabilities that no volume has: the scheduler asks every node about every class.
 */
export function getCapacity(request: GetCapacityRequest, context: ControllerContext): Call<GetCapacityResponse> {
  const { volumes, nodeId } = context;
  const parameters = parseParameters(request.parameters, 'parameters');
  const checked = request.volume_capabilities.map((message, index) =>
    validate.checkCapability(message, `volume_capabilities[${index}]`),
  );
  const capabilities = checked.flatMap((check) => (check.supported ? [check.capability] : []));
  const fsType = agreedFilesystem(parameters, capabilities, 'volume_capabilities') ?? 'ext4';
  const isRaw = capabilities.length > 0 && capabilities.every(({ volumeMode }) => volumeMode === 'Block');
  const minimum = minimumBytes({ fsType: isRaw ? undefined : fsType, sourceBytes: 0 });
  const { accessible_topology: topology } = request;
  const isHere = topology === null || isOnNode(topology, nodeId);
  return {
    fields: { pool: parameters.pool ?? '' },
    async run() {
      const isForeign = parameters.pool !== undefined && !volumes.pools.has(parameters.pool);
      if (!isHere || isForeign || capabilities.length < checked.length) return toResponse(0, 0, minimum);
      const { availableBytes, maximumVolumeBytes } = await choosePool(volumes.pools, parameters.pool).space();
      return toResponse(availableBytes, maximumVolumeBytes, minimum);
    },
  };
}
