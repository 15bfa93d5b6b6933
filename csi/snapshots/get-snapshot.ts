import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import type { SnapshotContext } from './context.ts';
import type { GetSnapshotRequest, GetSnapshotResponse } from './messages.ts';
import { toSnapshotMessage } from './snapshot-message.ts';

/** CSI 1.12, GetSnapshot (alpha). */
export function getSnapshot(request: GetSnapshotRequest, { snapshots }: SnapshotContext): Call<GetSnapshotResponse> {
  const snapshotId = validate.parseText(request.snapshot_id, 'snapshot_id');
  return {
    fields: { snapshotId },
    run: async () => ({ snapshot: toSnapshotMessage(snapshots.require(snapshotId).snapshot) }),
  };
}
