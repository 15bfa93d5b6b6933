import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';
import { defineRecord, filled } from '../../proto/record.ts';
import { VOLUME_MODES } from '../../proto/volume-attachment.ts';
import { ACCESS_MODES } from '../../proto/volume-spec.ts';
import type { Log } from '../../runtime/system/log.ts';
import { recordFile } from '../../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../../runtime/system/temporary-files.ts';
import { mapConcurrently } from '../map-concurrently.ts';
import type { FoundVolume, Volumes } from '../volumes.ts';

/** `published.json` in the volume's directory: the node that a controller published it to. Durable. */
const publicationRecord = defineRecord('controller publication', 1, {
  nodeId: filled,
  readOnly: v.boolean(),
  accessMode: v.picklist(ACCESS_MODES),
  volumeMode: v.picklist(VOLUME_MODES),
});
export type Publication = ReturnType<typeof publicationRecord.decode>;

const FILE = 'published.json';

/** Volumes whose records are read at once at the start. */
const CONCURRENCY = 16;

/**
 * What ControllerPublishVolume said of volumes (--controller-publish). The driver has nothing to attach: the record is
 * all there is of it, for the controllers that want to be told. Read once, at the start; this server is the only writer.
 */
export class Publications {
  /** A Fault where the record could not be read. */
  private readonly byVolume = new Map<string, Publication | Fault>();

  static async load(volumes: Volumes, log: Log): Promise<Publications> {
    const publications = new Publications();
    await mapConcurrently(volumes.all(), CONCURRENCY, async (volume) => {
      const { volumeId } = volume.spec;
      const publication = await fileOf(volume).load().catch(asUnreadable);
      if (publication === undefined) return;
      publications.byVolume.set(volumeId, publication);
      if (publication instanceof Fault) {
        log.error('whether a volume is published cannot be read; it counts as published', {
          volumeId,
          error: publication,
        });
      }
    });
    return publications;
  }

  /** Throws why if the record cannot be read: the volume may be published, and is left as it is. */
  find(volumeId: string): Publication | undefined {
    const found = this.byVolume.get(volumeId);
    if (found instanceof Fault) throw found;
    return found;
  }

  /** Nodes that it is known to be published to. */
  nodesOf(volumeId: string): string[] {
    const found = this.byVolume.get(volumeId);
    return found === undefined || found instanceof Fault ? [] : [found.nodeId];
  }

  /** Whether there is something to remove: also a record that cannot be read, which may be of any node. */
  mayBeOn(volumeId: string, nodeId: string): boolean {
    const found = this.byVolume.get(volumeId);
    return found !== undefined && (found instanceof Fault || nodeId === '' || nodeId === found.nodeId);
  }

  get size(): number {
    return this.byVolume.size;
  }

  async save(volume: FoundVolume, publication: Publication): Promise<void> {
    const { pool, spec } = volume;
    await ensureNoTemporaryFiles(pool.files, pool.directoryOf(spec.volumeId), FILE); // of a server that was killed
    await fileOf(volume).save(publication);
    this.byVolume.set(volume.spec.volumeId, publication);
  }

  async remove(volume: FoundVolume): Promise<void> {
    await fileOf(volume).remove();
    this.byVolume.delete(volume.spec.volumeId);
  }
}

/** One record that is broken must not keep the server from its other volumes. */
function asUnreadable(error: unknown): Fault {
  if (error instanceof Fault) return error;
  throw error;
}

const fileOf = ({ pool, spec }: FoundVolume) =>
  recordFile(pool.files, publicationRecord, `${pool.directoryOf(spec.volumeId)}/${FILE}`, { durable: true });
