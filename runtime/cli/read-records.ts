import { describeError } from '../../proto/fault.ts';
import type { RecordCodec } from '../../proto/record.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';

/** Records of one kind, and what could not be read: one bad record must not hide the others from an operator. */
export interface Records<T> {
  readonly found: readonly { readonly path: string; readonly record: T }[];
  /** A sentence each, naming the file. */
  readonly unreadable: readonly { readonly path: string; readonly problem: string }[];
}

export async function readRecords<T>(
  system: System,
  codec: RecordCodec<T>,
  paths: readonly string[],
): Promise<Records<T>> {
  const found: { path: string; record: T }[] = [];
  const unreadable: { path: string; problem: string }[] = [];
  for (const path of paths) {
    try {
      const record = await recordFile(system, codec, path, { durable: false }).load();
      if (record !== undefined) found.push({ path, record });
    } catch (error) {
      unreadable.push({ path, problem: describeError(error) });
    }
  }
  return { found, unreadable };
}

/** Paths of the records in a directory; not of those that are being written. */
export async function listRecords(system: System, directory: string): Promise<string[]> {
  const names = await system.list(directory);
  return names.filter((name) => name.endsWith('.json')).map((name) => `${directory}/${name}`);
}
