import { Fault } from '../../proto/fault.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import { splitSnapshotId } from '../snapshot-id.ts';
import { invalid } from '../validate.ts';
import type { Call } from '../verb.ts';
import type { SnapshotContext } from './context.ts';
import type { ListSnapshotsRequest, ListSnapshotsResponse } from './messages.ts';
import { toSnapshotMessage } from './snapshot-message.ts';
import type { Snapshots } from './snapshots.ts';

/** Of a page that nobody limited: some 300 bytes an entry, and the clients of gRPC take 4 MiB by default. */
const DEFAULT_ENTRIES = 4000;

/**
 * CSI 1.12, ListSnapshots, in the order of ids. A token is the last id of a page: the next one begins after it, whatever
 * came or went meanwhile. Ids that nothing has are a filter that lets nothing through.
 */
export function listSnapshots(
  request: ListSnapshotsRequest,
  { snapshots }: SnapshotContext,
): Call<ListSnapshotsResponse> {
  const { max_entries: maxEntries, starting_token: token } = request;
  if (maxEntries < 0) throw invalid('max_entries', 'is negative');
  // CSI 1.12, "ListSnapshots Errors": an invalid token is ABORTED.
  if (token !== '' && splitSnapshotId(token) === undefined) {
    const fields = { field: 'starting_token' };
    throw new Fault('busy', 'starting_token is none of this driver; begin again without', { fields });
  }
  return {
    async run() {
      const limit = maxEntries === 0 ? DEFAULT_ENTRIES : maxEntries;
      const page: VolumeSnapshot[] = [];
      for (const snapshot of candidates(request, snapshots)) {
        if (page.length === limit) return toResponse(page, page.at(-1)?.snapshotId ?? '');
        page.push(snapshot);
      }
      return toResponse(page, '');
    },
  };
}

function* candidates(request: ListSnapshotsRequest, snapshots: Snapshots): Generator<VolumeSnapshot> {
  const { starting_token: token, snapshot_id: snapshotId, source_volume_id: volumeId } = request;
  const found = snapshotId === '' ? snapshots.after(token) : [snapshots.find(snapshotId)?.snapshot];
  for (const snapshot of found) {
    if (snapshot !== undefined && (volumeId === '' || snapshot.sourceVolumeId === volumeId)) yield snapshot;
  }
}

function toResponse(page: readonly VolumeSnapshot[], nextToken: string): ListSnapshotsResponse {
  return { entries: page.map((each) => ({ snapshot: toSnapshotMessage(each) })), next_token: nextToken };
}
