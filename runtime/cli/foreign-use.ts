import { Fault } from '../../proto/fault.ts';
import type { VolumeView } from './list-volumes.ts';

/**
 * Fault `precondition` for a volume that stock Kata may have in a VM: it takes no lease, and turns QEMU's own lock off, so
 * that nothing else would tell.
 */
export function requireNoForeignUse({ volumeId, spec, publications }: VolumeView): void {
  if (spec?.class.consumer !== 'kata' || publications.length === 0) return;
  const pods = publications.map(({ podUid }) => podUid).join(', ');
  const message = `volume ${volumeId} is published for pod ${pods} of stock Kata, which takes no lease; end that first`;
  throw new Fault('precondition', message, { fields: { volumeId } });
}
