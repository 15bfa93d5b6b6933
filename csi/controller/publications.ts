import * as v from 'valibot';
import { defineRecord, filled } from '../../proto/record.ts';
import { VOLUME_MODES } from '../../proto/volume-attachment.ts';
import { ACCESS_MODES } from '../../proto/volume-spec.ts';
import { recordFile } from '../../runtime/system/record-file.ts';
import { ensureNoTemporaryFiles } from '../../runtime/system/temporary-files.ts';
import { mapConcurrently } from '../map-concurrently.ts';
import type { FoundVolume, Volumes } from '../volumes.ts';

/** `published.json` in the volume's directory: the node that a controller published it to. Durable. */
const publicationRecord = defineRecord('controller publication', 1, () => ({
  nodeId: filled,
  readOnly: v.boolean(),
  accessMode: v.picklist(ACCESS_MODES),
  volumeMode: v.picklist(VOLUME_MODES),
}));
export type Publication = ReturnType<typeof publicationRecord.decode>;

const FILE = 'published.json';

/** Volumes whose records are read at once at the start. */
const CONCURRENCY = 16;

/**
 * What ControllerPublishVolume said of volumes (--controller-publish). The driver has nothing to attach: the record is
 * all there is of it, for the controllers that want to be told. Read once, at the start; this server is the only writer.
 */
export class Publications {
  private readonly byVolume = new Map<string, Publication>();

  static async load(volumes: Volumes): Promise<Publications> {
    const publications = new Publications();
    await mapConcurrently(volumes.all(), CONCURRENCY, async (volume) => {
      const publication = await fileOf(volume).load();
      if (publication !== undefined) publications.byVolume.set(volume.spec.volumeId, publication);
    });
    return publications;
  }

  find(volumeId: string): Publication | undefined {
    return this.byVolume.get(volumeId);
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

const fileOf = ({ pool, spec }: FoundVolume) =>
  recordFile(pool.files, publicationRecord, `${pool.directoryOf(spec.volumeId)}/${FILE}`, { durable: true });
