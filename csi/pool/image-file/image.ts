import { open, stat, truncate } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { failpoint } from '../../../runtime/system/failpoint.ts';
import { exec } from '../../../runtime/system/node/exec.ts';
import type { HostCalls } from '../../host-calls.ts';
import { fileSystemOf } from './file-system.ts';

interface ImageShape {
  readonly sizeBytes: number;
  /** Every block allocated, so that no write of a guest can fail for space. */
  readonly isThick: boolean;
}

/** Unit of st_blocks, whatever the file system's own blocks are. */
const STAT_BLOCK_BYTES = 512;

/** A new image, which reads as zero. */
export async function makeImage(host: HostCalls, path: string, shape: ImageShape): Promise<void> {
  const image = await open(path, 'wx', 0o600);
  try {
    if (!shape.isThick) await image.truncate(shape.sizeBytes);
  } finally {
    await image.close();
  }
  if (shape.isThick) await host.allocate(path, shape.sizeBytes);
  failpoint('volume.file-written');
}

/** Gives the image at least the size. It is never made smaller: a guest may have seen what it is. */
export async function extendImage(host: HostCalls, path: string, { sizeBytes, isThick }: ImageShape): Promise<void> {
  if (isThick) await host.allocate(path, sizeBytes);
  else if ((await stat(path)).size < sizeBytes) await truncate(path, sizeBytes);
  failpoint('volume.file-written');
}

/**
 * A new image that shares the content of another. btrfs shares only between files that are both copied on write or both
 * not: an image that was made elsewhere need not be as this pool makes them.
 */
export async function cloneImage(host: HostCalls, from: string, to: string): Promise<void> {
  try {
    await host.clone(from, to);
  } catch (error) {
    const isRefused = error instanceof Fault && error.code === 'unsupported';
    if (!isRefused || (await fileSystemOf(to)) !== 'btrfs') throw error;
    await exec('chattr', ['-C', to]);
    await host.clone(from, to);
  }
  failpoint('volume.file-written');
}

export interface ImageFacts {
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
}

export async function imageFacts(path: string): Promise<ImageFacts> {
  const { size, blocks } = await stat(path);
  return { sizeBytes: size, allocatedBytes: blocks * STAT_BLOCK_BYTES };
}

/**
 * What is wrong with an image that has not the size of its volume; empty if nothing is. A VMM that its guest has broken
 * out to can lengthen the image, which is all that it can change of the pool's accounts.
 */
export function describeMisfit(path: string, sizeBytes: number, capacityBytes: number): string {
  if (sizeBytes === capacityBytes) return '';
  const sizes = `its image ${path} has ${sizeBytes} bytes, the volume ${capacityBytes}`;
  if (sizeBytes < capacityBytes) return `${sizes}: somebody has cut it, and what was beyond is lost`;
  return `${sizes}: an expansion did not end, which asking for it again mends, or somebody has lengthened it`;
}
