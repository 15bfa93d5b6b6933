import { open, stat, truncate } from 'node:fs/promises';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import type { HostCalls } from '../../host-calls.ts';

interface ImageShape {
  readonly sizeBytes: number;
  /** Every block allocated, so that no write of a guest can fail for space. */
  readonly isThick: boolean;
}

/** Unit of st_blocks, whatever the file system's own blocks are. */
export const STAT_BLOCK_BYTES = 512;

/** A new image, which reads as zero. */
export async function makeImage(host: HostCalls, path: string, shape: ImageShape): Promise<void> {
  await (await open(path, 'wx', 0o600)).close();
  await extendImage(host, path, shape);
}

/** Gives the image at least the size. It is never made smaller: a guest may have seen what it is. */
export async function extendImage(host: HostCalls, path: string, { sizeBytes, isThick }: ImageShape): Promise<void> {
  if (isThick) await host.allocate(path, sizeBytes);
  else if ((await stat(path)).size < sizeBytes) await truncate(path, sizeBytes);
  failpoint('volume.file-written');
}

export async function allocatedBytesOf(path: string): Promise<number> {
  return (await stat(path)).blocks * STAT_BLOCK_BYTES;
}
