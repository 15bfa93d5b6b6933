import type { Empty } from '../messages.ts';
import { type Call, constant, type Service } from '../verb.ts';
import type { GroupContext } from './context.ts';
import { createGroupSnapshot } from './create-group-snapshot.ts';
import { deleteGroupSnapshot } from './delete-group-snapshot.ts';
import { getGroupSnapshot } from './get-group-snapshot.ts';
import type * as messages from './messages.ts';

/** The GroupController service: snapshots of several volumes at one instant. */
export function createGroupController(context: GroupContext) {
  return {
    GroupControllerGetCapabilities: constant<messages.GroupControllerGetCapabilitiesResponse>({
      capabilities: [{ rpc: { type: 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT' } }],
    }),
    CreateVolumeGroupSnapshot: (
      request: messages.CreateVolumeGroupSnapshotRequest,
    ): Call<messages.GroupSnapshotResponse> => createGroupSnapshot(request, context),
    DeleteVolumeGroupSnapshot: (request: messages.DeleteVolumeGroupSnapshotRequest): Call<Empty> =>
      deleteGroupSnapshot(request, context),
    GetVolumeGroupSnapshot: (request: messages.GetVolumeGroupSnapshotRequest): Call<messages.GroupSnapshotResponse> =>
      getGroupSnapshot(request, context),
  } satisfies Service;
}
