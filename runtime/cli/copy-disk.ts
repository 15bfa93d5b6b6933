import { type FileHandle, open } from 'node:fs/promises';
import { Fault } from '../../proto/fault.ts';
import { run } from '../system/node/exec.ts';

export interface DiskCopy {
  readonly from: string;
  /** Overwritten if it is there, and stays the same file. */
  readonly to: string;
  /**
   * `shared`: with the blocks and holes of the source, where the file system can; `own`: every block allocated; `sparse`:
   * holes wherever the source is zero. The first two are of the source's mode.
   */
  readonly blocks: 'shared' | 'own' | 'sparse';
}

const BLOCKS: Record<DiskCopy['blocks'], readonly string[]> = {
  shared: ['--reflink=auto', '--sparse=auto', '--preserve=mode'],
  own: ['--reflink=never', '--sparse=never', '--preserve=mode'],
  sparse: ['--reflink=auto', '--sparse=always'],
};

/** Copies a disk, and syncs the copy. The lease of whichever of the two is a volume's is held until cp has ended. */
export async function copyDisk({ from, to, blocks }: DiskCopy, lease: FileHandle, signal: AbortSignal): Promise<void> {
  const args = [...BLOCKS[blocks], '--', from, to];
  const checkWanted = (): void => {
    if (signal.aborted) throw new Fault('exec', `interrupted while ${from} was copied to ${to}`);
  };
  checkWanted();
  const { exitCode, stderr } = await run({ file: 'cp', args, descriptors: [lease.fd], signal });
  checkWanted();
  if (exitCode !== 0) throw copyFault(from, to, new TextDecoder().decode(stderr).trim());
  await syncFile(to);
  checkWanted();
}

function copyFault(from: string, to: string, said: string): Fault {
  const isFull = said.includes('No space left on device');
  const why = isFull ? 'there is no space left' : said.slice(-500);
  return new Fault(isFull ? 'exhausted' : 'io', `${from} could not be copied to ${to}: ${why}`);
}

/** Of a directory: the names in it. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path);
  await handle.sync().finally(() => handle.close());
}
