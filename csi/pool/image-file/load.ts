import { readdir } from 'node:fs/promises';
import { asFault, Fault } from '../../../proto/fault.ts';
import type { RecordCodec } from '../../../proto/record.ts';
import { VOLUME_FILES } from '../../../proto/volume-spec.ts';
import type { Log } from '../../../runtime/system/log.ts';
import { readWhole } from '../../../runtime/system/node/read-whole.ts';
import { mapConcurrently } from '../../map-concurrently.ts';
import { type ImageFacts, imageFacts } from './image.ts';

/** More only wait for one another in libuv's four threads. */
const AT_ONCE = 16;

export interface Loaded<T> {
  readonly records: readonly T[];
  /** By the name of the directory, as the next. */
  readonly unreadable: ReadonlyMap<string, Fault>;
  readonly images: ReadonlyMap<string, ImageFacts>;
}

/**
 * Reads the record of each directory in `parent`, and looks at the image beside it. One that cannot be read is reported,
 * and in nobody else's way: the data beside it may be all that a user has.
 */
export async function loadRecords<T>(
  { parent, file, codec, idOf }: { parent: string; file: string; codec: RecordCodec<T>; idOf: (record: T) => string },
  log: Log,
): Promise<Loaded<T>> {
  const records: T[] = [];
  const unreadable = new Map<string, Fault>();
  const images = new Map<string, ImageFacts>();
  await mapConcurrently(await readdir(parent), AT_ONCE, async (name) => {
    const path = `${parent}/${name}/${file}`;
    try {
      images.set(name, await imageFacts(`${parent}/${name}/${VOLUME_FILES.image}`));
      const record = codec.decode((await readWhole(path)).toString(), path);
      if (idOf(record) !== name) throw new Fault('malformed', `${path} is the record of ${idOf(record)}`);
      records.push(record);
    } catch (error) {
      const fault = asFault(error, 'io', `could not read ${parent}/${name}`, { path });
      log.error('a volume or snapshot cannot be read; its data are kept', { path, error: fault });
      unreadable.set(name, fault);
    }
  });
  return { records, unreadable, images };
}
