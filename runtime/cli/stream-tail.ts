/** The last bytes of a stream, at least `keptBytes` of them if there were so many. */
export class StreamTail {
  private readonly keptBytes: number;
  private chunks: Uint8Array[] = [];
  private startOffset = 0;
  private end = 0;

  constructor(keptBytes: number) {
    this.keptBytes = keptBytes;
  }

  /** Length of the stream so far. */
  get endOffset(): number {
    return this.end;
  }

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.end += chunk.length;
    for (let first = this.chunks[0]; first !== undefined; first = this.chunks[0]) {
      if (this.end - this.startOffset - first.length < this.keptBytes) return;
      this.chunks.shift();
      this.startOffset += first.length;
    }
  }

  /** What follows `offset`. Nothing if that is kept no more: then the stream's reader stopped reading long ago. */
  from(offset: number): readonly Uint8Array[] {
    const found: Uint8Array[] = [];
    if (offset < this.startOffset) return found;
    let at = this.startOffset;
    for (const chunk of this.chunks) {
      if (at + chunk.length > offset) found.push(chunk.subarray(Math.max(0, offset - at)));
      at += chunk.length;
    }
    return found;
  }
}
