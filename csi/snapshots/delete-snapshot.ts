import { Fault } from '../../proto/fault.ts';
import type { Empty } from '../messages.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import type { SnapshotContext } from './context.ts';
import type { DeleteSnapshotRequest } from './messages.ts';

/** CSI 1.12, DeleteSnapshot. Volumes made of it keep their content. A snapshot that is not there is OK. */
export function deleteSnapshot(request: DeleteSnapshotRequest, { snapshots }: SnapshotContext): Call<Empty> {
  const snapshotId = validate.parseText(request.snapshot_id, 'snapshot_id');
  return {
    locks: [snapshotId],
    fields: { snapshotId },
    async run({ log }) {
      const location = snapshots.locate(snapshotId);
      // Not OK: whoever is told so believes that the data are gone.
      if (location.kind === 'elsewhere') throw new Fault('precondition', location.reason, { fields: { snapshotId } });
      if (location.kind === 'nowhere') return {};
      const groupId = location.pool.findSnapshot(location.snapshotId)?.groupId;
      if (groupId !== undefined) {
        throw validate.invalid('snapshot_id', `is a part of group snapshot ${groupId}, and goes with it as a whole`);
      }
      if (await location.pool.removeSnapshot(location.snapshotId, log)) log.info('snapshot deleted');
      return {};
    },
  };
}
