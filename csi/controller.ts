import type { ControllerContext } from './controller/context.ts';
import { createVolume } from './controller/create-volume.ts';
import { deleteVolume } from './controller/delete-volume.ts';
import { controllerExpandVolume } from './controller/expand-volume.ts';
import { getCapacity } from './controller/get-capacity.ts';
import { controllerGetVolume } from './controller/get-volume.ts';
import { createListVolumes } from './controller/list-volumes.ts';
import { controllerModifyVolume } from './controller/modify-volume.ts';
import {
  controllerPublishVolume,
  controllerUnpublishVolume,
  type PublishContext,
} from './controller/publish-volume.ts';
import { validateVolumeCapabilities } from './controller/validate-volume-capabilities.ts';
import type * as messages from './messages.ts';
import { SNAPSHOT_CAPABILITIES, snapshotVerbs } from './snapshots/service.ts';
import { constant, type Service } from './verb.ts';

const CAPABILITIES = [
  'CREATE_DELETE_VOLUME',
  'LIST_VOLUMES',
  'GET_CAPACITY',
  'CLONE_VOLUME',
  'EXPAND_VOLUME',
  'VOLUME_CONDITION',
  'GET_VOLUME',
  'SINGLE_NODE_MULTI_WRITER',
  'MODIFY_VOLUME',
] as const satisfies readonly messages.ControllerCapability[];
const PUBLISH_CAPABILITIES = ['PUBLISH_UNPUBLISH_VOLUME', 'PUBLISH_READONLY', 'LIST_VOLUMES_PUBLISHED_NODES'] as const;

/** The Controller service: volumes come into being, grow and cease. */
export function createController(context: ControllerContext) {
  const { publications } = context;
  const capabilities: messages.ControllerCapability[] = [...CAPABILITIES, ...SNAPSHOT_CAPABILITIES];
  if (publications !== undefined) capabilities.push(...PUBLISH_CAPABILITIES);
  return {
    CreateVolume: (request: messages.CreateVolumeRequest) => createVolume(request, context),
    DeleteVolume: (request: messages.DeleteVolumeRequest) => deleteVolume(request, context),
    ValidateVolumeCapabilities: (request: messages.ValidateVolumeCapabilitiesRequest) =>
      validateVolumeCapabilities(request, context),
    ListVolumes: createListVolumes(context),
    ControllerGetVolume: (request: messages.ControllerGetVolumeRequest) => controllerGetVolume(request, context),
    GetCapacity: (request: messages.GetCapacityRequest) => getCapacity(request, context),
    ControllerExpandVolume: (request: messages.ControllerExpandVolumeRequest) =>
      controllerExpandVolume(request, context),
    ControllerModifyVolume: (request: messages.ControllerModifyVolumeRequest) =>
      controllerModifyVolume(request, context),
    ...snapshotVerbs(context),
    ControllerGetCapabilities: constant<messages.ControllerGetCapabilitiesResponse>({
      capabilities: capabilities.map((type) => ({ rpc: { type } })),
    }),
    ...(publications === undefined ? NO_VERBS : publishVerbs({ ...context, publications })),
  } satisfies Service;
}

const publishVerbs = (context: PublishContext) => ({
  ControllerPublishVolume: (request: messages.ControllerPublishVolumeRequest) =>
    controllerPublishVolume(request, context),
  ControllerUnpublishVolume: (request: messages.ControllerUnpublishVolumeRequest) =>
    controllerUnpublishVolume(request, context),
});
const NO_VERBS: Partial<ReturnType<typeof publishVerbs>> = {};
