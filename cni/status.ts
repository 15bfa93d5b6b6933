import { NETWORK_FEATURES } from '../proto/network-capabilities.ts';
import { readBootId } from '../runtime/system/boot-id.ts';
import { listLacks } from './capabilities-file.ts';
import { notAvailableFault } from './error-codes.ts';
import type { Place } from './place.ts';
import type { NetworkRequest } from './pod-request.ts';

/** Without which no pod at all can be wired. */
const NEEDS = { tc: ['tun', 'redirect'], macvtap: ['macvtap'] } as const;

/**
 * Whether ADD can be expected to work: throws what an ADD of the last minute has found to be lacking. Container engines
 * ask every few seconds and call the whole node not ready after a refusal, so nothing is tried, and a network whose
 * ordinary pods need nothing of berth is always ready.
 */
export async function status({ files, log, config }: Place, { wiring, when }: NetworkRequest): Promise<void> {
  if (when !== undefined) return;
  const { runDirectory } = config;
  const lacks = await listLacks({ files, log, runDirectory, bootId: await readBootId(files) });
  const missing = lacks.filter((lack) => NEEDS[wiring.mode].some((feature) => feature === lack));
  if (missing.length === 0) return;
  const sentences = missing.map((feature) => {
    const { what, modules } = NETWORK_FEATURES[feature];
    return `the kernel lacks ${what} (modprobe ${modules.join(' ')})`;
  });
  throw notAvailableFault(`${sentences.join('; ')}; the next ADD that succeeds clears this, and so does a minute`);
}
