import { type FileHandle, open } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import type { Extent } from '../port.ts';

const CHUNK_BYTES = 1 << 20;
/** Copied again after a crash, at most. */
const CHECKPOINT_BYTES = 256 << 20;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

export interface CopySteps {
  /** Offset up to which an earlier attempt copied. */
  readonly startAt: number;
  /** Aborted: the copy stops, and throws its reason. */
  readonly signal: AbortSignal;
  /** So many bytes of the extents are done. */
  onCopied(bytes: number): void;
  /** Everything up to the offset is copied, and on the disk. */
  onCheckpoint(offset: number): Promise<void>;
}

/** Copies the extents of one image to another of at least its size, which reads as zero elsewhere; what is zero stays a hole. */
export async function copyData(from: string, to: string, extents: readonly Extent[], steps: CopySteps): Promise<void> {
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'r+');
    try {
      await copyBetween(source, target, extents, steps);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function copyBetween(
  source: FileHandle,
  target: FileHandle,
  extents: readonly Extent[],
  { startAt, signal, onCopied, onCheckpoint }: CopySteps,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let sinceCheckpoint = 0;
  for (const { offset, length } of extents) {
    const end = offset + length;
    let at = Math.min(Math.max(offset, startAt), end);
    onCopied(at - offset);
    while (at < end) {
      signal.throwIfAborted();
      const { bytesRead } = await source.read(buffer, 0, Math.min(CHUNK_BYTES, end - at), at);
      if (bytesRead === 0) throw new Fault('io', `the source of the copy ends at ${at}, before ${end}`);
      const chunk = buffer.subarray(0, bytesRead);
      if (!chunk.equals(ZEROS.subarray(0, bytesRead))) await writeAt(target, chunk, at);
      at += bytesRead;
      onCopied(bytesRead);
      sinceCheckpoint += bytesRead;
      if (sinceCheckpoint < CHECKPOINT_BYTES) continue;
      sinceCheckpoint = 0;
      await target.datasync();
      await onCheckpoint(at);
    }
  }
}

async function writeAt(target: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await target.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}
