import { existsSync, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../system/node/errno.ts';

export interface FollowOptions {
  /** Go on with what is added, until the file or its directory is removed. */
  readonly follow: boolean;
  readonly write: (chunk: Uint8Array) => void;
}

/**
 * Hands on a text file's content, from where it still is there (forget-head.ts). Resolves at its end, or when it is
 * followed, at its removal; also if it never was there.
 */
export async function followFile(path: string, { follow, write }: FollowOptions): Promise<void> {
  const news = follow ? new News(dirname(path)) : undefined;
  let file: FileHandle | undefined;
  try {
    for (;;) {
      // Before reading: what happens meanwhile makes another turn.
      const changed = news?.next();
      file ??= await open(path).catch(absent);
      // Before reading, too: what was written last is then read.
      const isGone = file === undefined ? !existsSync(dirname(path)) : (await file.stat()).nlink === 0;
      if (file !== undefined) await readOn(file, write);
      if (changed === undefined || isGone) return;
      await changed;
    }
  } finally {
    await file?.close();
    news?.close();
  }
}

async function readOn(file: FileHandle, write: (chunk: Uint8Array) => void): Promise<void> {
  const buffer = Buffer.alloc(64 << 10);
  for (;;) {
    const { bytesRead } = await file.read(buffer);
    if (bytesRead === 0) return;
    write(Uint8Array.from(buffer.subarray(0, bytesRead).filter((byte) => byte !== 0)));
  }
}

function absent(error: unknown): undefined {
  if (errorCode(error) === 'ENOENT') return undefined;
  throw error;
}

/** That something has changed in a directory, or that it is gone. */
class News {
  private readonly watcher;
  private pending = Promise.resolve();
  private announce = (): void => {};

  constructor(directory: string) {
    this.renew();
    this.watcher = watch(directory, () => this.announce());
    this.watcher.on('error', () => this.announce());
  }

  /** Resolves at the first change after the call. */
  next(): Promise<void> {
    this.renew();
    return this.pending;
  }

  close(): void {
    this.watcher.close();
  }

  private renew(): void {
    this.pending = new Promise((resolve) => {
      this.announce = resolve;
    });
  }
}
