import { Fault } from '../../../proto/fault.ts';
import {
  type NetworkCapabilities,
  type NetworkFeature,
  networkCapabilitiesRecord,
  noteFeature,
} from '../../../proto/network-capabilities.ts';
import { runPaths } from '../../../proto/paths.ts';
import { readBootId } from '../../system/boot-id.ts';
import type { System } from '../../system/port.ts';
import { recordFile } from '../../system/record-file.ts';

/**
 * Writes down for the plugin's STATUS what was tried: what has been mended makes the node ready at once. Where nothing is
 * lacking no record is left.
 */
export async function recordNetworkFeatures(
  system: System,
  runDirectory: string,
  features: Readonly<Record<NetworkFeature, boolean>>,
): Promise<void> {
  const path = runPaths(runDirectory).networkCapabilities;
  const file = recordFile(system, networkCapabilitiesRecord, path, { durable: false });
  const bootId = await readBootId(system);
  const nowMs = Date.now();
  let record: NetworkCapabilities | undefined = await file.load().catch(forgiveUnreadable);
  for (const [feature, isPresent] of Object.entries(features) as [NetworkFeature, boolean][]) {
    record = noteFeature(record, bootId, feature, { isPresent, nowMs });
  }
  if (record === undefined) {
    await file.remove();
    return;
  }
  await system.makeDirectory(runDirectory, 0o700);
  await file.save(record);
}

/** It is written anew. */
function forgiveUnreadable(error: unknown): undefined {
  if (error instanceof Fault && (error.code === 'malformed' || error.code === 'unsupported')) return;
  throw error;
}
