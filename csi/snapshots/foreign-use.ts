import { Fault } from '../../proto/fault.ts';
import { describePod } from '../../proto/volume-attachment.ts';
import type { Attachments } from '../attachments.ts';
import type { FoundVolume } from '../volumes.ts';

/** Who may have a volume whose lease is free: stock Kata Containers takes none. In words; undefined if nobody may. */
export async function describeForeignUse(
  { spec }: FoundVolume,
  attachments: Pick<Attachments, 'ofVolume'>,
): Promise<string | undefined> {
  if (spec.class.consumer !== 'kata') return undefined;
  const [published] = await attachments.ofVolume(spec.volumeId);
  if (published === undefined) return undefined;
  return `it is published for ${describePod(published.podUid)}, in stock Kata Containers, whose guest cannot be frozen`;
}

/** A copy byte by byte of a volume that is written meanwhile is of no instant at all. */
export function requireNoForeignUse(use: string | undefined, { pool, spec: { volumeId } }: FoundVolume): void {
  if (use === undefined) return;
  const message = `volume ${volumeId} of pool ${pool.name} cannot be copied byte by byte now: ${use}`;
  throw new Fault('precondition', message, { fields: { volumeId, pool: pool.name } });
}
