import { Fault } from '../../proto/fault.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import type { ListVolumesRequest, ListVolumesResponse, VolumeStatusMessage } from '../messages.ts';
import { invalid } from '../validate.ts';
import type { Call, Verb } from '../verb.ts';
import { splitVolumeId } from '../volume-id.ts';
import type { FoundVolume } from '../volumes.ts';
import type { ControllerContext } from './context.ts';
import { toVolumeMessage, toVolumeStatus } from './volume-message.ts';

/** Of a page, also where more is asked: some 300 bytes an entry, and the clients of gRPC take 4 MiB by default. */
const MOST_ENTRIES = 4000;

/**
 * CSI 1.12, ListVolumes, in the order of ids. A token is the last id of a page: the next one begins after it, whatever
 * came or went meanwhile. Volumes of inline ephemeral requests are kubelet's, not the cluster's, and left out.
 */
export function createListVolumes(context: ControllerContext): Verb<ListVolumesRequest, ListVolumesResponse> {
  const entries = new Entries(context);
  return (request) => listVolumes(request, context, entries);
}

type Entry = ListVolumesResponse['entries'][number];

/** The same object for a volume for as long as there is nothing new to say of it: the server serializes it once. */
class Entries {
  private readonly context: ControllerContext;
  private readonly known = new WeakMap<VolumeSpec, Entry>();

  constructor(context: ControllerContext) {
    this.context = context;
  }

  of(found: FoundVolume, problem: string): Entry {
    const { nodeId } = this.context;
    const status = toVolumeStatus(found, problem, this.context);
    const known = this.known.get(found.spec);
    if (known !== undefined && isSame(known.status, status)) return known;
    const entry = { volume: toVolumeMessage(found.spec, nodeId), status };
    this.known.set(found.spec, entry);
    return entry;
  }
}

const isSame = (one: VolumeStatusMessage, other: VolumeStatusMessage): boolean =>
  one.volume_condition.abnormal === other.volume_condition.abnormal &&
  one.volume_condition.message === other.volume_condition.message &&
  one.published_node_ids.join() === other.published_node_ids.join();

function listVolumes(
  request: ListVolumesRequest,
  context: ControllerContext,
  entries: Entries,
): Call<ListVolumesResponse> {
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
      const { conditions, volumes } = context;
      const { page, hasMore } = volumes.page(
        token,
        maxEntries === 0 ? MOST_ENTRIES : Math.min(maxEntries, MOST_ENTRIES),
      );
      const problems = await conditions.problemsOf(page);
      return {
        entries: page.map((found, index) => entries.of(found, problems[index] ?? '')),
        next_token: hasMore ? (page.at(-1)?.spec.volumeId ?? '') : '',
      };
    },
  };
}
