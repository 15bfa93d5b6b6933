import { Fault } from '../../proto/fault.ts';
import type { ListVolumesRequest, ListVolumesResponse } from '../messages.ts';
import { invalid } from '../validate.ts';
import type { Call } from '../verb.ts';
import { splitVolumeId } from '../volume-id.ts';
import type { ControllerContext } from './context.ts';
import { toVolumeMessage, toVolumeStatus } from './volume-message.ts';

/** Of a page, also where more is asked: some 300 bytes an entry, and the clients of gRPC take 4 MiB by default. */
const MOST_ENTRIES = 4000;

/**
 * CSI 1.12, ListVolumes, in the order of ids. A token is the last id of a page: the next one begins after it, whatever
 * came or went meanwhile. Volumes of inline ephemeral requests are kubelet's, not the cluster's, and left out.
 */
export function listVolumes(request: ListVolumesRequest, context: ControllerContext): Call<ListVolumesResponse> {
  const { max_entries: maxEntries, starting_token: token } = request;
  if (maxEntries < 0) throw invalid('max_entries', 'is negative');
  // CSI 1.12, "ListVolumes Errors": an invalid token is ABORTED.
  if (token !== '' && splitVolumeId(token) === undefined) {
    throw new Fault('busy', 'starting_token is none of this driver; begin again without', {
      fields: { field: 'starting_token' },
    });
  }
  return {
    async run() {
      const { conditions, volumes, nodeId } = context;
      const { page, hasMore } = volumes.page(
        token,
        maxEntries === 0 ? MOST_ENTRIES : Math.min(maxEntries, MOST_ENTRIES),
      );
      const problems = await conditions.problemsOf(page);
      return {
        entries: page.map((found, index) => ({
          volume: toVolumeMessage(found.spec, nodeId),
          status: toVolumeStatus(found, problems[index] ?? '', context),
        })),
        next_token: hasMore ? (page.at(-1)?.spec.volumeId ?? '') : '',
      };
    },
  };
}
