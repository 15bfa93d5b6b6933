import { Fault } from '../../proto/fault.ts';
import { withDriver } from './driver.ts';
import type { VolumeView } from './list-volumes.ts';

export interface DeleteOptions {
  /** The volume's name again, so that nobody deletes another by a slip. */
  readonly confirm: string;
  /** Of berth-csi, which alone deletes data. */
  readonly socket: string;
}

/** Deletes a volume that no pod and no snapshot has. Whether Kubernetes knows it is for the caller to know. */
export async function deleteVolume(volume: VolumeView, { confirm, socket }: DeleteOptions): Promise<number> {
  const { volumeId } = volume;
  const refusal = refuseDeletion(volume, confirm);
  if (refusal !== undefined) throw new Fault('precondition', refusal, { fields: { volumeId } });
  await withDriver(socket, (driver) => driver.call('Controller', 'DeleteVolume', { volume_id: volumeId }));
  process.stdout.write(`volume ${volumeId} is deleted\n`);
  return 0;
}

/** The driver refuses what is in use, too, and it is the one that knows. */
export function refuseDeletion(volume: VolumeView, confirm: string): string | undefined {
  const { volumeId, spec, usedBy, publications, snapshots } = volume;
  const name = spec?.name ?? volumeId;
  if (confirm !== name) return `volume ${volumeId} is called ${name}, not ${confirm}; --confirm has to say its name`;
  if (usedBy.length > 0) return `volume ${volumeId} is in use by pod ${usedBy.join(', ')}; end it first`;
  if (publications.length > 0) {
    const pods = publications.map(({ podUid }) => podUid).join(', ');
    return `volume ${volumeId} is published for pod ${pods}; it is deleted in Kubernetes, by its claim`;
  }
  if (snapshots.length > 0) {
    const ids = snapshots.map(({ snapshotId }) => snapshotId).join(', ');
    return `volume ${volumeId} has snapshots (${ids}); delete them first`;
  }
  return undefined;
}
