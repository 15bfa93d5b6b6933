import { networkAttachmentRecord } from '../../proto/network-attachment.ts';
import { runPaths } from '../../proto/paths.ts';
import { volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import type { System } from '../system/port.ts';
import { listRecords, readRecords } from './read-records.ts';

/** Every interface that the CNI plugin wired on this node. */
export async function listNetworks(system: System, runDirectory: string) {
  return readRecords(system, networkAttachmentRecord, await listRecords(system, runPaths(runDirectory).networks));
}

/** Every publication of a volume on this node. */
export async function listPublications(system: System, runDirectory: string) {
  const { volumes } = runPaths(runDirectory);
  const podUids = await system.list(volumes);
  const paths = await Promise.all(podUids.map((podUid) => listRecords(system, `${volumes}/${podUid}`)));
  return readRecords(system, volumeAttachmentRecord, paths.flat());
}
