import { type NetworkFeature, networkCapabilitiesRecord, noteFeature } from '../proto/network-capabilities.ts';
import { runPaths } from '../proto/paths.ts';
import type { Log } from '../runtime/system/log.ts';
import type { Files } from '../runtime/system/port.ts';
import { recordFile } from '../runtime/system/record-file.ts';
import { loadIfReadable } from './attachment-file.ts';

const DIRECTORY_MODE = 0o700;
/**
 * An older lack is not believed: a node that calls itself not ready is given no pod, whose ADD could find it mended.
 */
const BELIEVED_FOR_MS = 60_000;

export interface CapabilityPlace {
  readonly files: Files;
  readonly log: Log;
  readonly runDirectory: string;
  readonly bootId: string;
}

/**
 * Writes down what the kernel was found to have or to lack, if that is news to STATUS. It is an aid: where it fails,
 * ADD is what it is. Two that find something at the same time may write over each other; the next one finds it again.
 */
export async function noteCapabilities(
  place: CapabilityPlace,
  features: Iterable<NetworkFeature>,
  isPresent: boolean,
): Promise<void> {
  const { files, log, runDirectory, bootId } = place;
  const file = openFile(place);
  try {
    const previous = await loadIfReadable(file, log);
    if (isPresent && previous === undefined) return;
    const found = { isPresent, nowMs: Date.now() };
    let next = previous;
    for (const feature of features) next = noteFeature(next, bootId, feature, found);
    if (next === undefined) await file.remove();
    else if (next !== previous) {
      await files.makeDirectory(runDirectory, DIRECTORY_MODE);
      await file.save(next);
    }
  } catch (error) {
    log.warn('what the kernel has could not be written down', { path: file.path, error });
  }
}

/** What was lately found to be lacking. Tries nothing. */
export async function listLacks(place: CapabilityPlace): Promise<NetworkFeature[]> {
  const record = await loadIfReadable(openFile(place), place.log);
  if (record?.bootId !== place.bootId) return [];
  const nowMs = Date.now();
  return record.lacks
    .filter((lack) => Math.abs(nowMs - lack.foundAtMs) <= BELIEVED_FOR_MS)
    .map(({ feature }) => feature);
}

const openFile = ({ files, runDirectory }: CapabilityPlace) =>
  recordFile(files, networkCapabilitiesRecord, runPaths(runDirectory).networkCapabilities, { durable: false });
