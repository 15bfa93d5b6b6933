/** Cuts bytes into lines, without their ends; what follows the last newline waits for more. */
export class LineSplitter {
  private readonly decoder = new TextDecoder();
  private pending = '';

  push(chunk: Uint8Array): string[] {
    const lines = (this.pending + this.decoder.decode(chunk, { stream: true })).split('\n');
    this.pending = lines.pop() ?? '';
    return lines.map((line) => line.replace(/\r+$/, ''));
  }
}
