import { Fault } from '../../proto/fault.ts';
import type {
  ControllerPublishVolumeRequest,
  ControllerPublishVolumeResponse,
  ControllerUnpublishVolumeRequest,
  Empty,
} from '../messages.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import { describeMismatch } from '../volume-mismatch.ts';
import type { ControllerContext } from './context.ts';
import type { Publication, Publications } from './publications.ts';

/** The Controller service's context of a server that runs with --controller-publish. */
export type PublishContext = ControllerContext & { readonly publications: Publications };

/** CSI 1.12, ControllerPublishVolume: a note that the node has the volume, where it is anyway. */
export function controllerPublishVolume(
  request: ControllerPublishVolumeRequest,
  { volumes, publications, nodeId, maxVolumesPerNode }: PublishContext,
): Call<ControllerPublishVolumeResponse> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  if (request.node_id === '') throw validate.invalid('node_id', 'is required');
  const { accessMode, volumeMode, fsType } = validate.parseCapability(request.volume_capability, 'volume_capability');
  const wanted: Publication = { nodeId: request.node_id, readOnly: request.readonly, accessMode, volumeMode };
  return {
    locks: [volumeId],
    fields: { volumeId, nodeId: request.node_id },
    async run() {
      const volume = volumes.require(volumeId);
      if (request.node_id !== nodeId) {
        const message = `node_id is ${request.node_id}, but the volumes of this driver are on node ${nodeId}`;
        throw new Fault('not-found', message, { fields: { field: 'node_id' } });
      }
      const misfit = describeMismatch(volume, { fsType, accessModes: [accessMode] });
      if (misfit.length > 0) throw validate.invalid('volume_capability', `does not fit: ${misfit.join('; ')}`);
      const existing = publications.find(volumeId);
      if (existing !== undefined) requireSame(volumeId, existing, wanted);
      else if (maxVolumesPerNode > 0 && publications.size >= maxVolumesPerNode) {
        const message = `node ${nodeId} has ${publications.size} volumes, as many as --max-volumes-per-node allows`;
        throw new Fault('exhausted', message, { fields: { nodeId } });
      } else await publications.save(volume, wanted);
      return { publish_context: {} };
    },
  };
}

/** CSI 1.12: "Volume published but is incompatible" is ALREADY_EXISTS. */
function requireSame(volumeId: string, existing: Publication, wanted: Publication): void {
  const differences = (['readOnly', 'accessMode', 'volumeMode'] as const)
    .filter((key) => existing[key] !== wanted[key])
    .map((key) => `with ${key} ${existing[key]}, not ${wanted[key]}`);
  if (differences.length === 0) return;
  const message = `volume ${volumeId} is published to node ${existing.nodeId}, but ${differences.join(', ')}`;
  throw new Fault('exists', message, { fields: { volumeId } });
}

/** CSI 1.12, ControllerUnpublishVolume: of any node if none is named. A volume that is not there is OK. */
export function controllerUnpublishVolume(
  request: ControllerUnpublishVolumeRequest,
  { volumes, publications }: PublishContext,
): Call<Empty> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  return {
    locks: [volumeId],
    fields: { volumeId, nodeId: request.node_id },
    async run() {
      if (publications.mayBeOn(volumeId, request.node_id)) await publications.remove(volumes.require(volumeId));
      return {};
    },
  };
}
