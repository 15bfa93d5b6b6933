/**
 * Hand-shake of both virtio-serial channels. A virtio-serial port is a byte stream that outlives its peers: after a
 * reconnect it may hold bytes for the peer before. So the host sends a line with a fresh nonce, and both sides discard
 * what they read until they have seen it: the guest the line, the host its echo.
 */
const MAGIC = 'BERTH-HELLO/1 ';
const NONCE_LENGTH = 32;
const LINE_LENGTH = MAGIC.length + NONCE_LENGTH + 1;

export function helloLine(nonce: string): Uint8Array {
  return new TextEncoder().encode(`${MAGIC}${nonce}\n`);
}

export interface HelloFound {
  readonly nonce: string;
  /** Bytes after the line: the first of the conversation. */
  readonly rest: Uint8Array;
}

/** Looks for a hello line in a byte stream, discarding what precedes it. `wanted` ignores lines of other nonces. */
export class HelloScanner {
  private pending = '';
  private readonly wanted: string | undefined;

  constructor(wanted?: string) {
    this.wanted = wanted;
  }

  push(chunk: Uint8Array): HelloFound | undefined {
    // Latin-1: one character a byte, whatever rubbish precedes the line.
    const before = this.pending.length;
    let text = this.pending;
    for (const byte of chunk) text += String.fromCharCode(byte);
    for (let at = text.indexOf(MAGIC); at >= 0; at = text.indexOf(MAGIC, at + 1)) {
      if (text.length < at + LINE_LENGTH) break;
      const nonce = text.slice(at + MAGIC.length, at + LINE_LENGTH - 1);
      const complete = /^[0-9a-f]+$/.test(nonce) && text[at + LINE_LENGTH - 1] === '\n';
      if (complete && (this.wanted === undefined || this.wanted === nonce)) {
        this.pending = '';
        return { nonce, rest: chunk.slice(at + LINE_LENGTH - before) };
      }
    }
    this.pending = text.slice(Math.max(0, text.length - LINE_LENGTH + 1));
    return undefined;
  }
}
