import type { Empty } from '../messages.ts';
import type { Call, Service } from '../verb.ts';
import type { SnapshotContext } from './context.ts';
import { createSnapshot } from './create-snapshot.ts';
import { deleteSnapshot } from './delete-snapshot.ts';
import { getSnapshot } from './get-snapshot.ts';
import { listSnapshots } from './list-snapshots.ts';
import type * as messages from './messages.ts';

/** What the verbs here stand for among the capabilities of the Controller service. */
export const SNAPSHOT_CAPABILITIES = ['CREATE_DELETE_SNAPSHOT', 'LIST_SNAPSHOTS', 'GET_SNAPSHOT'] as const;

/** The verbs of the Controller service that are about snapshots. */
export function snapshotVerbs(context: SnapshotContext) {
  return {
    CreateSnapshot: (request: messages.CreateSnapshotRequest): Call<messages.CreateSnapshotResponse> =>
      createSnapshot(request, context),
    DeleteSnapshot: (request: messages.DeleteSnapshotRequest): Call<Empty> => deleteSnapshot(request, context),
    ListSnapshots: (request: messages.ListSnapshotsRequest): Call<messages.ListSnapshotsResponse> =>
      listSnapshots(request, context),
    GetSnapshot: (request: messages.GetSnapshotRequest): Call<messages.GetSnapshotResponse> =>
      getSnapshot(request, context),
  } satisfies Service;
}
