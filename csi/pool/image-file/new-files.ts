import { closeSync, fsync, ftruncate, open, writeFile } from 'node:fs';
import { promisify } from 'node:util';
import { failpoint } from '../../../runtime/system/failpoint.ts';

/** A file in a directory that is being made: a text, or a hole of so many bytes; without either, one that is there. */
export interface NewFile {
  readonly name: string;
  readonly text?: string;
  readonly holeBytes?: number;
}

interface Opened {
  readonly fd: number;
  /** Undefined: the directory. */
  readonly file: NewFile | undefined;
}

/**
 * Writes the files, and makes them and their names in the directory durable: each by an fsync(2) of its own, which alone
 * promises anything on every file system. They are all opened, then all written, then all synced at once, because a
 * journal makes one commit of the fsyncs that meet in it, and one after another they would wait for one commit each.
 *
 * With bare descriptors: to make a volume, the objects that Node has for open files took a third of the time.
 */
export async function writeDurably(directory: string, files: readonly NewFile[]): Promise<void> {
  const opened: Opened[] = [];
  const openOne = async (path: string, flags: string, file?: NewFile): Promise<void> => {
    opened.push({ fd: await calls.open(path, flags, 0o600), file });
  };
  try {
    await allDone([
      ...files.map((file) => openOne(`${directory}/${file.name}`, isWritten(file) ? 'r+' : 'wx', file)),
      openOne(directory, 'r'),
    ]);
    await allDone(opened.map(fill));
    await allDone(opened.map(({ fd }) => calls.fsync(fd)));
    failpoint('directory.synced');
  } finally {
    for (const { fd } of opened) closeSync(fd); // of a local file, it waits for nothing
  }
}

/**
 * As Promise.all, but never before the last of them is done: whoever clears up after a failure must not meet one that
 * still writes.
 */
export async function allDone(promises: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(promises);
  await Promise.all(promises);
}

async function fill({ fd, file }: Opened): Promise<void> {
  if (file === undefined || isWritten(file)) return;
  const { text = '', holeBytes } = file;
  if (holeBytes !== undefined) await calls.ftruncate(fd, holeBytes);
  if (text !== '') await calls.writeFile(fd, text);
  failpoint('volume.file-written');
}

const isWritten = ({ text, holeBytes }: NewFile): boolean => text === undefined && holeBytes === undefined;

const calls = {
  open: promisify(open),
  fsync: promisify(fsync),
  ftruncate: promisify(ftruncate),
  writeFile: promisify(writeFile),
};
