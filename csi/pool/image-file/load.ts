import { readdir, readFile } from 'node:fs/promises';
import { asFault, Fault } from '../../../proto/fault.ts';
import type { RecordCodec } from '../../../proto/record.ts';
import type { Log } from '../../../runtime/system/log.ts';

/** More only wait for one another in libuv's four threads. */
const AT_ONCE = 16;

export interface Loaded<T> {
  readonly records: readonly T[];
  /** By the name of the directory. */
  readonly unreadable: ReadonlyMap<string, Fault>;
}

/**
 * Reads the record of each directory in `parent`. One that cannot be read is reported, and in nobody else's way: the
 * data beside it may be all that a user has.
 */
export async function loadRecords<T>(
  { parent, file, codec, idOf }: { parent: string; file: string; codec: RecordCodec<T>; idOf: (record: T) => string },
  log: Log,
): Promise<Loaded<T>> {
  const names = await readdir(parent);
  const records: T[] = [];
  const unreadable = new Map<string, Fault>();
  const load = async (name: string): Promise<void> => {
    const path = `${parent}/${name}/${file}`;
    try {
      const record = codec.decode(await readFile(path, 'utf8'), path);
      if (idOf(record) !== name) throw new Fault('malformed', `${path} is the record of ${idOf(record)}`);
      records.push(record);
    } catch (error) {
      const fault = asFault(error, 'io', `could not read ${path}`, { path });
      log.error('a record cannot be read; its data are kept', { path, error: fault });
      unreadable.set(name, fault);
    }
  };
  const queue = names.values();
  const work = async (): Promise<void> => {
    for (const name of queue) await load(name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { records, unreadable };
}
