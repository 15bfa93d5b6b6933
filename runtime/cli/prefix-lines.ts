import { Writable } from 'node:stream';

/** What does not end its lines is cut: it must not grow in our memory. */
const LONGEST_LINE_BYTES = 64 << 10;
const NEWLINE = '\n'.charCodeAt(0);

/**
 * Takes bytes and gives `sink`, which it does not end, whole lines, each behind `prefix`, so that several writers can share
 * it. Its own end() ends the last line.
 */
export function prefixLines(prefix: string, sink: Writable): Writable {
  let pending: Buffer = Buffer.alloc(0);
  const pass = (bytes: Buffer, done: (error?: Error | null) => void): void => {
    // Bytes as they are, whatever they encode.
    const lines = bytes.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? [];
    const text = lines.map((line) => `${prefix}${line}`).join('');
    sink.write(text === '' || text.endsWith('\n') ? text : `${text}\n`, 'latin1', done);
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const bytes = Buffer.concat([pending, chunk]);
      const linesEnd = bytes.lastIndexOf(NEWLINE) + 1;
      const end = bytes.length - linesEnd > LONGEST_LINE_BYTES ? bytes.length : linesEnd;
      pending = bytes.subarray(end);
      pass(bytes.subarray(0, end), done);
    },
    final(done) {
      pass(pending, done);
    },
  });
}
