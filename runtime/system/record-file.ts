import type { RecordCodec } from '../../proto/record.ts';
import type { Files } from './port.ts';
import { trace } from './trace.ts';

/** A record on disk: one codec, one path, written whole or not at all. */
export interface RecordFile<T> {
  readonly path: string;
  /** Undefined if there is no file. Throws `malformed` or `unsupported` for one that cannot be read. */
  load(): Promise<T | undefined>;
  save(value: T): Promise<void>;
  /** False if there was none. */
  remove(): Promise<boolean>;
}

/** `durable` for records in a pool, which must survive a crash of the host; records in /run die with it anyway. */
export function recordFile<T>(
  files: Files,
  codec: RecordCodec<T>,
  path: string,
  options: { durable: boolean },
): RecordFile<T> {
  return {
    path,
    async load() {
      const bytes = await files.readFile(path);
      trace('record')?.('record read', { kind: codec.kind, path, found: bytes !== undefined });
      return bytes === undefined ? undefined : codec.decode(new TextDecoder().decode(bytes), path);
    },
    async save(value) {
      await files.writeFile(path, new TextEncoder().encode(codec.encode(value)), { mode: 0o600, ...options });
      trace('record')?.('record written', { kind: codec.kind, path, value });
    },
    async remove() {
      const removed = await files.remove(path, options);
      trace('record')?.('record removed', { kind: codec.kind, path, removed });
      return removed;
    },
  };
}
